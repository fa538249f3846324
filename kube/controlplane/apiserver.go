package controlplane

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	apiextensionsopenapi "k8s.io/apiextensions-apiserver/pkg/generated/openapi"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	genericapiserver "k8s.io/apiserver/pkg/server"
	apiopenapi "k8s.io/apiserver/pkg/util/openapi"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	aggregatoropenapi "k8s.io/kube-aggregator/pkg/generated/openapi"
	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"

	"github.com/coracle-os/coracle/kube/flags"
	"github.com/coracle-os/coracle/kube/openapi"
	"github.com/coracle-os/coracle/kube/pki"
)

// RunAPIServer runs kube-apiserver until ctx is cancelled.
func (c Config) RunAPIServer(ctx context.Context) error {
	authentication, err := c.writeAuthentication()
	if err != nil {
		return err
	}
	server := options.NewServerRunOptions()
	if err := c.parse(flags.APIServer, server.Flags(), c.apiServerFlags(authentication)); err != nil {
		return err
	}
	// ":port" listens on IPv6 and IPv4 where the kernel has both, which no bind address does.
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", ":"+strconv.Itoa(c.Settings.APIPort))
	if err != nil {
		return fmt.Errorf("the API port is taken: %w", err)
	}
	server.SecureServing.Listener = listener
	// Feature gates and versions are process-wide; the other components find them set.
	if err := server.GenericServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return fmt.Errorf("set feature gates: %w", err)
	}
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	completed, err := server.Complete(ctx)
	if err != nil {
		return err
	}
	if errs := completed.Validate(); len(errs) > 0 {
		return utilerrors.NewAggregate(errs)
	}
	return c.serve(ctx, completed)
}

// serve is upstream's app.Run with differences: the OpenAPI documents of the built-in APIs are served by package openapi, the
// datastore is needed only once the configuration is made, which takes a while, and roles.go.
func (c Config) serve(ctx context.Context, completed options.CompletedOptions) error {
	var err error
	if completed.InformerName, err = cache.NewInformerName("kube-apiserver"); err != nil {
		return err
	}
	config, err := app.NewConfig(completed)
	if err != nil {
		return err
	}
	generic := config.KubeAPIs.ControlPlane.Generic
	generic.SkipOpenAPIInstallation = true
	narrowDefinitions(config.ApiExtensions.GenericConfig, apiextensionsopenapi.GetOpenAPIDefinitions)
	narrowDefinitions(config.Aggregator.GenericConfig, aggregatoropenapi.GetOpenAPIDefinitions)
	chainConfig, err := config.Complete()
	if err != nil {
		return err
	}
	if err := c.WaitForDatastore(ctx); err != nil {
		return err
	}
	if c.rolesCurrent() {
		generic.DisabledPostStartHooks.Insert(laterHooks...)
	}
	aggregator, err := app.CreateServerChain(chainConfig)
	if err != nil {
		return err
	}
	if err := aggregator.GenericAPIServer.AddPostStartHook("coracle/reconcile-roles", c.reconcileRoles); err != nil {
		return err
	}
	// The chain is aggregator → kube-apiserver → apiextensions-apiserver.
	builtIn, ok := aggregator.GenericAPIServer.NextDelegate().(*genericapiserver.GenericAPIServer)
	if !ok {
		return errors.New("the server chain of kube-apiserver is not what it was")
	}
	openapi.Install(builtIn.Handler.NonGoRestfulMux, builtIn.Handler.GoRestfulContainer, generic.OpenAPIConfig, generic.OpenAPIV3Config)
	prepared, err := aggregator.PrepareRun()
	if err != nil {
		return err
	}
	// The definitions of all types were needed to install the APIs; whoever builds a document computes them again.
	generic.OpenAPIV3Config.Definitions = nil
	return prepared.Run(ctx)
}

// narrowDefinitions makes apiextensions-apiserver and the aggregator build their OpenAPI documents from the definitions that
// their own APIs refer to. They would compute those of all of Kubernetes, and keep them: 13 MiB.
func narrowDefinitions(config *genericapiserver.RecommendedConfig, own common.GetOpenAPIDefinitions) {
	definitions := apiopenapi.GetOpenAPIDefinitionsWithoutDisabledFeatures(own)
	v2, v3 := *config.OpenAPIConfig, *config.OpenAPIV3Config // the other servers share them
	v2.GetDefinitions, v3.GetDefinitions, v3.Definitions = definitions, definitions, nil
	config.OpenAPIConfig, config.OpenAPIV3Config = &v2, &v3
}

func (c Config) apiServerFlags(authentication string) []string {
	s, p := c.Settings, c.PKI
	args := []string{
		"--advertise-address=" + s.NodeIPs[0],
		"--allow-privileged=true",
		"--service-cluster-ip-range=" + s.ServiceCIDR,
		"--feature-gates=" + featureGatesFlag(),

		// Who may ask, and what.
		"--tls-cert-file=" + p.Cert(pki.APIServer),
		"--tls-private-key-file=" + p.Key(pki.APIServer),
		"--client-ca-file=" + p.ClusterCA(),
		"--authentication-config=" + authentication,
		"--enable-bootstrap-token-auth=true", // join tokens of agents
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		// A new node takes pods at once (docs/decisions/0070-pods-first.md).
		"--disable-admission-plugins=TaintNodesByCondition",
		"--service-account-issuer=https://kubernetes.default.svc." + s.ClusterDomain,
		"--service-account-key-file=" + p.ServiceAccountKey(),
		"--service-account-signing-key-file=" + p.ServiceAccountKey(),

		// Aggregated APIs, such as metrics-server's.
		"--requestheader-client-ca-file=" + p.FrontProxyCA(),
		"--requestheader-allowed-names=" + pki.APIServerProxyClient,
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + p.Cert(pki.APIServerProxyClient),
		"--proxy-client-key-file=" + p.Key(pki.APIServerProxyClient),

		// The kubelet, for logs and exec; by address, because node names are in no DNS.
		"--kubelet-client-certificate=" + p.Cert(pki.APIServerKubeletClient),
		"--kubelet-client-key=" + p.Key(pki.APIServerKubeletClient),
		"--kubelet-certificate-authority=" + p.ClusterCA(),
		"--kubelet-preferred-address-types=InternalIP,Hostname",

		// Storage. Counting every resource once a minute is a query each, for a metric.
		"--etcd-servers=unix://" + c.Socket,
		"--encryption-provider-config=" + p.EncryptionConfig(),
		"--etcd-compaction-interval=5m",
		"--etcd-count-metric-poll-period=0",
		"--etcd-db-metric-poll-interval=0",

		// Profiles are taken from the control socket, which only root can open.
		"--profiling=false",

		// Watches never end by themselves; without these two a stop takes the request timeout, 60 s.
		"--shutdown-send-retry-after=true",
		"--shutdown-watch-termination-grace-period=500ms",
	}
	if overrides := c.storageOverrides(); len(overrides) > 0 {
		args = append(args, "--etcd-servers-overrides="+strings.Join(overrides, ","))
	}
	return args
}

// ephemeralResources are, for each value of control.Datastore.Ephemeral, the resources that are kept in memory.
var ephemeralResources = map[string][]string{
	// apiServerIPInfo is /registry/masterleases: renewed every ten seconds, it keeps the endpoints of the Service
	// "kubernetes". It is the storage name of something that is not a resource of the API.
	"leases": {"coordination.k8s.io/leases", "/apiServerIPInfo"},
	"events": {"/events"},
}

// storageOverrides is the value of --etcd-servers-overrides: GROUP/RESOURCE#SERVER.
func (c Config) storageOverrides() []string {
	if c.EphemeralSocket == "" {
		return nil
	}
	var overrides []string
	for _, kind := range slices.Sorted(slices.Values(c.Settings.Datastore.Ephemeral)) {
		for _, resource := range ephemeralResources[kind] {
			overrides = append(overrides, resource+"#unix://"+c.EphemeralSocket)
		}
	}
	return overrides
}
