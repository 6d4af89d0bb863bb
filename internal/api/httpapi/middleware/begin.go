package middleware

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/avelto/convo/internal/api/problem"
	"github.com/avelto/convo/internal/platform/rescue"
)

const maxRequestID = 128

// Begin opens the call: it gives it an id and a deadline, answers every error
// that the later steps return and every panic, and reports the outcome.
func Begin(timeout time.Duration, writer *problem.Writer, report func(echo.Context, *Call)) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r := c.Request()
			call := &Call{
				RequestID: requestID(r.Header), Started: time.Now(), URL: r.URL,
				ContentType: r.Header.Get("Content-Type"), ContentLength: r.ContentLength,
			}
			ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), callKey{}, call), timeout)
			defer cancel()
			c.SetRequest(r.WithContext(ctx))
			c.Response().Header().Set("X-Request-Id", call.RequestID)
			if err := rescue.Panics(func() error { return next(c) }); err != nil {
				answer(c, call, writer, err)
			}
			report(c, call)
			return nil
		}
	}
}

func answer(c echo.Context, call *Call, writer *problem.Writer, err error) {
	call.cause = err
	if c.Response().Committed {
		return // too late: what was begun is cut off
	}
	if _, err := writer.Write(c.Response(), call.RequestID, problem.Classify(err)); err != nil {
		call.cause = errors.Join(call.cause, err)
	}
}

// requestID takes the client's own id if it is sane.
func requestID(header http.Header) string {
	if own := header.Get("X-Request-Id"); own != "" && len(own) <= maxRequestID && strings.IndexFunc(own, unusual) < 0 {
		return own
	}
	// It names a request and guards nothing: it need not be unpredictable.
	fresh := make([]byte, 0, 16)
	fresh = binary.BigEndian.AppendUint64(fresh, rand.Uint64())
	fresh = binary.BigEndian.AppendUint64(fresh, rand.Uint64())
	return "req_" + hex.EncodeToString(fresh)
}

func unusual(c rune) bool {
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.'
}
