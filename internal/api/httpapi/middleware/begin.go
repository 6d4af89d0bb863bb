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
	"github.com/avelto/convo/internal/api/rescue"
)

const maxRequestID = 128

// Begin starts a Call. It sets the request ID and the deadline, writes the response for
// every error that later middleware returns and for every panic, and reports the outcome.
func Begin(timeout time.Duration, writer *problem.Writer, report func(echo.Context, *Call)) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r := c.Request()
			body := r.Body
			call := &Call{
				RequestID: requestID(r.Header), Started: time.Now(), URL: r.URL,
				ContentType: r.Header.Get("Content-Type"), ContentLength: r.ContentLength, echo: c,
			}
			ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), callKey{}, call), timeout)
			defer cancel()
			c.SetRequest(r.WithContext(ctx))
			c.Response().Header().Set("X-Request-Id", call.RequestID)
			c.Response().Header().Set("X-Content-Type-Options", "nosniff")
			err := rescue.Panics(func() error { return next(c) })
			truncated := err != nil && c.Response().Committed
			if err != nil {
				writeError(c, call, writer, err)
			}
			report(c, call)
			if truncated {
				// Abort the connection, so that the client does not treat the response as complete.
				panic(http.ErrAbortHandler)
			}
			if err != nil {
				drain(c, body)
			}
			return nil
		}
	}
}

func writeError(c echo.Context, call *Call, writer *problem.Writer, err error) {
	call.cause = err
	if c.Response().Committed {
		return // part of the response has been sent
	}
	if _, err := writer.Write(c.Response(), call.RequestID, problem.Classify(err)); err != nil {
		call.cause = errors.Join(call.cause, err)
	}
}

// requestID returns the client's own ID if it has 1 to 128 safe characters, else a new one.
func requestID(header http.Header) string {
	if own := header.Get("X-Request-Id"); own != "" && len(own) <= maxRequestID && strings.IndexFunc(own, unusual) < 0 {
		return own
	}
	// A request ID protects nothing, so it does not have to be unpredictable.
	fresh := make([]byte, 0, 16)
	fresh = binary.BigEndian.AppendUint64(fresh, rand.Uint64())
	fresh = binary.BigEndian.AppendUint64(fresh, rand.Uint64())
	return "req_" + hex.EncodeToString(fresh)
}

func unusual(c rune) bool {
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.'
}
