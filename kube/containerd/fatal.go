package containerd

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"

	"github.com/sirupsen/logrus"
)

// catchFatal turns log.Fatal of containerd's goroutines, which would end the whole process with os.Exit, into an error
// on the channel: the rest of the process is stopped in order and the reason is reported. The goroutine that called
// Fatal ends. release puts logrus back as it was.
func catchFatal() (died <-chan error, release func()) {
	logger := logrus.StandardLogger()
	f := &fatalHook{died: make(chan error, 1)}
	hooks := make(logrus.LevelHooks)
	maps.Copy(hooks, logger.Hooks)
	hooks[logrus.FatalLevel] = append(slices.Clone(hooks[logrus.FatalLevel]), f)
	oldHooks, oldExit := logger.ReplaceHooks(hooks), logger.ExitFunc
	logger.ExitFunc = func(int) {
		f.send(errors.New("stopped without saying why"))
		runtime.Goexit()
	}
	return f.died, func() {
		logger.ReplaceHooks(oldHooks)
		logger.ExitFunc = oldExit
	}
}

type fatalHook struct {
	once sync.Once
	died chan error
}

func (f *fatalHook) Levels() []logrus.Level { return []logrus.Level{logrus.FatalLevel} }

// Fire runs before the exit function, and has the message.
func (f *fatalHook) Fire(e *logrus.Entry) error {
	err := errors.New(e.Message)
	if cause, ok := e.Data[logrus.ErrorKey].(error); ok {
		err = fmt.Errorf("%s: %w", e.Message, cause)
	}
	f.send(err)
	return nil
}

func (f *fatalHook) send(err error) { f.once.Do(func() { f.died <- err }) }
