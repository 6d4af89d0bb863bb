// Package rescue turns panics into errors.
package rescue

import (
	"fmt"
	"net/http"
	"runtime/debug"
)

// Panics runs fn and returns its error, or the panic that it ended in, with the stack.
// A panic by which net/http is told to drop the connection goes on.
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
