package a

import "sync/atomic"

type inner struct {
	first int32
	count int64
}

type outer struct {
	ready bool
	inner inner
	size  int32
	total uint64
	last  uint64
	other inner
}

type embedding struct{ *inner }

var Total uint64

func use(o *outer, e embedding, i inner, a atomic.Int64) {
	atomic.AddInt64(&i.count, 1) // want `i.count, which is at byte 4`
	atomic.AddInt64(&e.count, 1) // want `e.count, which is at byte 4`
	atomic.AddInt64(&o.inner.count, 1)
	atomic.LoadUint64(&o.total) // want `o.total, which is at byte 20`
	atomic.AddInt64(&(o.other).count, 1)
	atomic.AddInt32(&o.inner.first, 1)
	atomic.AddUint64(&Total, 1)
	a.Add(1)
}
