package command

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/tools/coraclectl/contexts"
	"github.com/coracle-os/coracle/tools/coraclectl/kubeconfig"
)

func (a *app) kubeconfigCommand() *cobra.Command {
	var file string
	var print, use bool
	c := &cobra.Command{
		Use:   "kubeconfig",
		Short: "Get the cluster's kubeconfig into yours",
		Long: `Gets the kubeconfig of the cluster's administrator and merges it into $KUBECONFIG or ~/.kube/config, as cluster, user and
context of the machine's name. What else is in the file stays as it is. The server is the cluster.endpoint of the machine's
config, or else the machine, at the address that it is known by here. It needs the role admin.`,
		Example: `  coraclectl -n edge-1 kubeconfig
  coraclectl -n edge-1 kubeconfig -o edge-1.kubeconfig
  coraclectl -n edge-1 kubeconfig --print`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			results, err := each(c.Context(), a, func(ctx context.Context, m *machine) ([]byte, error) {
				answer, err := unary(a, ctx, m.GetKubeconfig, &machinepb.GetKubeconfigRequest{})
				if err != nil {
					return nil, err
				}
				host := contexts.Host(m.Address)
				if answer.Endpoint != "" {
					host = "" // it is in the kubeconfig
				}
				return kubeconfig.Rename(answer.Kubeconfig, m.Name, host)
			})
			if len(results) == 0 {
				return err
			}
			var all []byte
			for _, r := range results {
				var problem error
				if all, problem = kubeconfig.Merge(all, r.value, false); problem != nil {
					return problem
				}
			}
			if print {
				_, problem := a.Out.Write(all)
				return firstError(problem, err)
			}
			path := first(file, kubeconfig.Path(a.Getenv("KUBECONFIG"), a.Home))
			if problem := kubeconfig.MergeFile(path, all, use); problem != nil {
				return problem
			}
			for _, r := range results {
				a.say("%s: context %s; try: kubectl --context %s get nodes", path, r.name, r.name)
			}
			return err
		},
	}
	c.Flags().StringVarP(&file, "output", "o", "", "file to merge into (default $KUBECONFIG, or ~/.kube/config)")
	c.Flags().BoolVar(&print, "print", false, "print it, and change no file")
	c.Flags().BoolVar(&use, "use", true, "make it the current context; --use=false leaves that as it is")
	c.MarkFlagsMutuallyExclusive("output", "print")
	return c
}
