package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"connectrpc.com/connect"

	"github.com/coracle-os/coracle/machined/apply"
	"github.com/coracle-os/coracle/machined/config/strict"
)

// calls is what happens around every call that the gate let through: deadlines, the number of streams, the kind of
// errors, and counting.
type calls struct{ *Server }

var _ connect.Interceptor = calls{}

func (c calls) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, r connect.AnyRequest) (connect.AnyResponse, error) {
		m := byProcedure[r.Spec().Procedure]
		ctx, cancel := context.WithTimeout(ctx, m.longest())
		defer cancel()
		if control := controlOf(ctx); control != nil {
			control.SetWriteDeadline(time.Now().Add(m.longest() + writeTimeout))
		}
		answer, err := next(ctx, r)
		return answer, c.finish(m, err)
	}
}

func (c calls) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next // this is a server
}

func (c calls) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		m := byProcedure[conn.Spec().Procedure]
		ctx, end, err := c.streams.begin(ctx, m)
		if err != nil {
			return c.finish(m, err)
		}
		defer end()
		who := callerOf(ctx)
		if err := c.permit(m, who.key, who.shown); err != nil { // the config may have changed before the stream was counted
			return c.finish(m, err)
		}
		control := controlOf(ctx)
		err = next(ctx, timedConn{conn, control})
		if refused, ok := errors.AsType[*connect.Error](context.Cause(ctx)); ok {
			err = refused
		}
		if control != nil { // for the end of the stream
			control.SetWriteDeadline(time.Now().Add(writeTimeout))
		}
		return c.finish(m, err)
	}
}

// finish counts a call, and gives its error a kind.
func (c calls) finish(m *method, err error) error {
	if err == nil {
		c.counts.add(m.name, 0)
		return nil
	}
	known, ok := errors.AsType[*connect.Error](err)
	_, invalid := errors.AsType[strict.Problems](err)
	_, refused := errors.AsType[*apply.Refused](err)
	switch {
	case ok:
	case invalid:
		known = connect.NewError(connect.CodeInvalidArgument, err)
	case refused:
		known = connect.NewError(connect.CodeFailedPrecondition, err)
	case errors.Is(err, apply.ErrOtherDigest):
		known = connect.NewError(connect.CodeAborted, err)
	case errors.Is(err, context.Canceled):
		known = connect.NewError(connect.CodeCanceled, err)
	case errors.Is(err, context.DeadlineExceeded):
		known = connect.NewError(connect.CodeDeadlineExceeded, err)
	default:
		c.Log.Error("API", "method", m.name, "error", err)
		known = connect.NewError(connect.CodeInternal, err)
	}
	c.counts.add(m.name, known.Code())
	return known
}

// recovered makes an error of a panic.
func (s *Server) recovered(_ context.Context, spec connect.Spec, _ http.Header, what any) error {
	s.Log.Error("API: panic", "procedure", spec.Procedure, "cause", what)
	return connect.NewError(connect.CodeInternal, fmt.Errorf("a defect of machined: %v", what))
}

// controlOf is what sets the deadlines of the request of ctx.
func controlOf(ctx context.Context) *http.ResponseController {
	c, _ := ctx.Value(controlKey{}).(*http.ResponseController)
	return c
}

// timedConn gives up on a caller that takes nothing for writeTimeout. While there is nothing to send, a stream may last.
type timedConn struct {
	connect.StreamingHandlerConn
	control *http.ResponseController
}

// Receive sends the header at the end of the request: the first message may take hours, and the caller would not know
// that he was heard.
func (c timedConn) Receive(into any) error {
	err := c.StreamingHandlerConn.Receive(into)
	if errors.Is(err, io.EOF) {
		if sent := c.Send(nil); sent != nil {
			return sent
		}
	}
	return err
}

func (c timedConn) Send(message any) error {
	if c.control == nil {
		return c.StreamingHandlerConn.Send(message)
	}
	c.control.SetWriteDeadline(time.Now().Add(writeTimeout))
	defer c.control.SetWriteDeadline(time.Time{})
	return c.StreamingHandlerConn.Send(message)
}
