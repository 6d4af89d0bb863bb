package middleware

import (
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

const (
	maxDrain     = 16 << 20 // bytes
	drainTimeout = 5 * time.Second
)

// drain reads what the client is still sending after an error response, up to a bound.
// Many clients read the response only after they have sent the whole body. If the server
// closed the connection first, they would get a connection error instead of the response.
// body is the request's body without any limit.
func drain(c echo.Context, body io.Reader) {
	r := c.Request()
	if r.ContentLength == 0 || r.Header.Get("Expect") != "" {
		return // nothing is on its way
	}
	connection := http.NewResponseController(c.Response())
	if connection.Flush() != nil || connection.SetReadDeadline(time.Now().Add(drainTimeout)) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, body, maxDrain)
}
