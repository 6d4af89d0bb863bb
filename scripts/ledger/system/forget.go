//go:build linux

package system

import (
	"sync/atomic"

	"github.com/Shopify/toxiproxy/v2/toxics"
)

const forgetType = "forget"

func init() { toxics.Register(forgetType, new(forget)) } //nolint:gochecknoinits // toxiproxy finds toxics in its registry

// forget is a toxic that swallows all bytes of the connections that were open when it was
// added. Toxiproxy's own timeout toxic also affects connections that are opened later.
type forget struct{ added atomic.Bool }

// NewState implements toxics.StatefulToxic. Toxiproxy calls it for each connection that is
// open while the toxic is added, and later for each new one.
func (f *forget) NewState() any { return !f.added.Load() }

// Pipe implements toxics.Toxic.
func (f *forget) Pipe(stub *toxics.ToxicStub) {
	if !isFrozen(stub) {
		new(toxics.NoopToxic).Pipe(stub)
		return
	}
	for input := stub.Input; ; {
		select {
		case <-stub.Interrupt:
			return
		case chunk := <-input:
			if chunk == nil { // the sender closed the connection: the receiver does not hear that either
				input = nil
			}
		}
	}
}

// Cleanup implements toxics.CleanupToxic.
func (f *forget) Cleanup(stub *toxics.ToxicStub) {
	if isFrozen(stub) {
		stub.Close()
	}
}

func isFrozen(stub *toxics.ToxicStub) bool {
	frozen, ok := stub.State.(bool)
	return ok && frozen
}
