// Package manifests keeps the objects that the machine config lists in cluster.manifests in the cluster.
//
// At each start every object is applied by the server (server-side apply), which writes nothing when it is as it should be.
// A ConfigMap records which objects came from which manifest, before they are applied, so that what is no longer wanted is
// removed, also after a power cut. Objects carry the label coracle.dev/manifest with the manifest's name; one that has lost it
// belongs to somebody else and is left alone.
package manifests

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"k8s.io/client-go/rest"

	"github.com/coracle-os/coracle/kube/control"
)

const (
	fieldManager = "coracle-manifests"
	label        = "coracle.dev/manifest"

	// Pauses after a pass in which something failed.
	firstPause, longestPause = time.Second, 5 * time.Minute
	// quiet is how many passes may fail before a person is told: a kind is known a moment after its definition was applied.
	quiet = 2
)

// Config says what the cluster is to have.
type Config struct {
	Manifests []control.Manifest
	CacheDir  string                  // of files that were fetched; on disk, so that a start needs no network
	Report    func(problems []string) // what could not be done, or not yet; none: all is well
	Ready     func()                  // called once, when all is applied; may be nil
}

// Run applies the manifests, trying again until all are, then returns nil when ctx is done.
func Run(ctx context.Context, client *rest.Config, c Config) error {
	api, err := newCluster(client)
	if err != nil {
		return fmt.Errorf("manifests: %w", err)
	}
	k := &keeper{api: api, source: newSource(c.CacheDir), done: map[string]string{}}
	if err := k.source.prune(c.Manifests); err != nil {
		slog.Warn("manifests: old files", "error", err)
	}
	var said []string
	for pause, failed := firstPause, 0; ; pause = min(2*pause, longestPause) {
		problems := k.pass(ctx, c.Manifests)
		if ctx.Err() != nil {
			return nil
		}
		if len(problems) == 0 {
			c.Report(nil)
			if c.Ready != nil {
				c.Ready()
			}
			<-ctx.Done()
			return nil
		}
		if failed++; failed >= quiet {
			c.Report(problems)
			if !slices.Equal(problems, said) {
				slog.Warn("manifests are not all applied, trying again", "problems", problems)
				said = problems
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// api is the cluster as seen from here; see cluster.
type api interface {
	// resolve returns o's name in the cluster, with the namespace that it gets; it fails for a kind that the cluster does not
	// know (yet).
	resolve(o object) (ref, error)
	apply(ctx context.Context, r ref, o object) error
	// remove removes an object that still carries the label of the manifest. One that is not there is no error.
	remove(ctx context.Context, r ref, manifest string) error
	load(ctx context.Context) (record, error)
	save(ctx context.Context, r record) error
	// refresh forgets which kinds there are.
	refresh()
}

// keeper is what is remembered from pass to pass.
type keeper struct {
	api    api
	source *source
	done   map[string]string // manifest → digest of the content that is applied
}

// pass does everything once and returns what failed; nil: nothing is left to do.
func (k *keeper) pass(ctx context.Context, list []control.Manifest) (problems []string) {
	report := func(name, format string, args ...any) {
		problems = append(problems, fmt.Sprintf("manifest %s: %s", name, fmt.Sprintf(format, args...)))
	}
	old, err := k.api.load(ctx)
	if err != nil {
		return []string{fmt.Sprintf("manifests: %v", err)}
	}
	k.api.refresh()
	wanted := record{}
	for _, m := range list {
		content, err := k.source.content(ctx, m)
		if err != nil {
			report(m.Name, "%v", err)
		}
		if content == nil {
			wanted[m.Name] = old[m.Name] // nothing is known of it; what it made stays
			continue
		}
		digest := digestOf(content)
		if k.done[m.Name] == digest {
			wanted[m.Name] = old[m.Name]
			continue
		}
		objects, err := decode(content)
		if err != nil {
			report(m.Name, "%v", err)
			wanted[m.Name] = old[m.Name]
			continue
		}
		refs, failed := k.apply(ctx, m.Name, objects, old, wanted)
		for _, f := range failed {
			report(m.Name, "%s", f)
		}
		wanted[m.Name] = refs
		if len(failed) == 0 {
			k.done[m.Name] = digest
		}
	}
	return append(problems, k.remove(ctx, old, wanted)...)
}

// apply applies the objects of one manifest. It returns those that the cluster has from now on, or may have. before are those
// of the manifests before it.
func (k *keeper) apply(ctx context.Context, name string, objects []object, old, before record) (refs []ref, failed []string) {
	resolved := map[ref]object{}
	for _, o := range objects {
		r, err := k.api.resolve(o)
		if err != nil {
			failed = append(failed, err.Error())
			continue
		}
		if _, twice := resolved[r]; twice {
			failed = append(failed, r.String()+" is in it twice")
			continue
		}
		if owner := before.owner(r); owner != "" {
			failed = append(failed, fmt.Sprintf("%s is in manifest %s too", r, owner))
			continue
		}
		resolved[r] = o
		refs = append(refs, r)
	}
	both := slices.Clone(old[name])
	for _, r := range refs {
		if !slices.Contains(both, r) {
			both = append(both, r)
		}
	}
	if len(failed) > 0 {
		refs = both // what is not resolved may be among the old ones
	}
	if len(both) > len(old[name]) {
		old[name] = both
		if err := k.api.save(ctx, old); err != nil {
			return refs, append(failed, err.Error())
		}
	}
	for _, r := range refs {
		o, ok := resolved[r]
		if !ok {
			continue
		}
		o.mark(name, r)
		if err := k.api.apply(ctx, r, o); err != nil {
			failed = append(failed, fmt.Sprintf("apply %s: %v", r, err))
		}
	}
	return refs, failed
}

// remove removes what is recorded and no longer wanted, and records what there is then.
func (k *keeper) remove(ctx context.Context, old, wanted record) (problems []string) {
	for name, refs := range old {
		for _, r := range byRank(refs, true) {
			if wanted.owner(r) != "" {
				continue
			}
			if err := k.api.remove(ctx, r, name); err != nil {
				problems = append(problems, fmt.Sprintf("manifest %s: remove %s: %v", name, r, err))
				wanted[name] = append(wanted[name], r) // so that it is tried again
				continue
			}
			slog.Info("object of a manifest removed", "manifest", name, "object", r.String())
		}
	}
	if !wanted.equal(old) {
		if err := k.api.save(ctx, wanted); err != nil {
			problems = append(problems, fmt.Sprintf("manifests: %v", err))
		}
	}
	slices.Sort(problems)
	return problems
}
