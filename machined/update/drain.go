package update

import (
	"context"
	"time"
)

// sayEvery is how often is said that something still goes on.
const sayEvery = 5 * time.Second

// drainSlack is how much longer it may take to hear what became of the pods.
var drainSlack = 10 * time.Second

// drain has pods leave the node that have somewhere to go, for some time. Those that stay are stopped when the machine goes
// down. Who asked for the upgrade may go away meanwhile: it is under way.
func (u *Updater) drain(ctx context.Context, most time.Duration, tell func(Progress)) {
	if u.Drain == nil || most <= 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), most+drainSlack)
	defer cancel()
	left := make(chan error, 1)
	go func() { left <- u.Drain(ctx, most) }()
	tick := time.NewTicker(sayEvery)
	defer tick.Stop()
	for {
		tell(Progress{Step: StepDrain})
		select {
		case err := <-left:
			if err != nil {
				u.Log.Error("not all pods have left in time", "error", err)
			}
			return
		case <-ctx.Done():
			u.Log.Error("not all pods have left in time", "error", ctx.Err())
			return
		case <-tick.C:
		}
	}
}
