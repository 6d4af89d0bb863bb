// Package rescue turns panics into errors.
package rescue

import (
	"fmt"
	"net/http"
	"runtime/debug"
)

// Panics calls fn and returns its error. If fn panics, the error has the value and the
// stack. It re-panics on http.ErrAbortHandler, by which net/http drops the connection.
func Panics(fn func() error) (err error) {
	defer func() {
		switch fault := recover(); fault {
		case nil:
		case http.ErrAbortHandler:
			panic(fault)
		default:
			err = fmt.Errorf("panic: %v\n%s", fault, debug.Stack())
		}
	}()
	return fn()
}
