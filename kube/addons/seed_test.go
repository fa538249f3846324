package addons

import "testing"

// TestSeedsAreNotAppliedAgain: a cluster that has what it began with needs nothing more of it.
func TestSeedsAreNotAppliedAgain(t *testing.T) {
	v := testValues("192.0.2.1")
	seeds, err := Seeds(v.Config)
	if err != nil || len(seeds) == 0 {
		t.Fatalf("%d seeds, %v", len(seeds), err)
	}
	found := map[key]string{}
	for _, s := range seeds {
		found[keyOf(s.Object)] = s.Object.GetAnnotations()[annotationHash]
	}
	apply, remove := plan(mustRender(t, v), found)
	for _, o := range apply {
		if _, seeded := found[keyOf(o)]; seeded {
			t.Errorf("%s is applied again", keyOf(o))
		}
	}
	if len(remove) > 0 {
		t.Errorf("%v are removed", remove)
	}
}
