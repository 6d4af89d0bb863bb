//go:build linux

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/avelto/convo/scripts/ledger/system"
)

const (
	quietTime = 8 * time.Second
	// shortPause is between faults, for the system to work normally.
	shortPause = time.Second
	// sampleTime is how long deliveries in flight are looked for after a fault, and
	// samplePause how often.
	sampleTime, samplePause = 300 * time.Millisecond, 100 * time.Millisecond
	// freezeTime is longer than the deadlines of the server, so that it has noticed.
	freezeTime = 9 * time.Second
	// afterFaults is the end of a phase: keys and deliveries of lost processes are free again.
	afterFaults     = 5 * time.Second
	recoveryTimeout = 30 * time.Second
)

// phase is one kind of fault, some number of times.
type phase struct {
	name  string
	count int
	fault func(ctx context.Context, i int) error
	after time.Duration
}

const (
	phaseNone      = "none"
	phaseRestart   = "rolling restart of the replicas"
	phaseKill      = "kill -9 of a replica or the worker"
	phaseCrash     = "kill -9 of PostgreSQL"
	phaseFreeze    = "frozen connections to PostgreSQL"
	phaseCut       = "cut connections between two parts"
	phasePromotion = "promotion of a standby"
)

func (l *ledger) phases() []phase {
	return []phase{
		{phaseNone, 1, func(ctx context.Context, _ int) error { return pause(ctx, quietTime) }, 0},
		{phaseRestart, l.Restarts, l.restart, shortPause},
		{phaseKill, l.Kills, l.kill, afterFaults},
		{phaseCrash, l.Crashes, l.crash, afterFaults},
		{phaseFreeze, l.Freezes, l.freeze, afterFaults},
		{phaseCut, l.Cuts, l.cut, afterFaults},
		{phasePromotion, l.Promotions, l.promote, afterFaults},
	}
}

// restart restarts all replicas gracefully, one after the other.
func (l *ledger) restart(ctx context.Context, _ int) error {
	for _, replica := range l.system.Replicas {
		if err := replica.Stop(); err != nil {
			return err
		}
		if err := replica.Start(ctx); err != nil {
			return err
		}
		if err := l.system.Balancer.Sees(ctx, replica.Name); err != nil {
			return err
		}
	}
	return nil
}

// kill kills a process and starts it again.
func (l *ledger) kill(ctx context.Context, i int) error {
	processes := l.system.Processes()
	p := processes[i%len(processes)]
	if err := pause(ctx, rand.N(shortPause)); err != nil { // at any point of its work
		return err
	}
	p.Kill()
	if err := l.sample(ctx, sampleTime); err != nil {
		return err
	}
	if err := p.Start(ctx); err != nil {
		return err
	}
	return pause(ctx, shortPause)
}

// crash kills PostgreSQL and starts it again.
func (l *ledger) crash(ctx context.Context, _ int) error {
	if err := l.system.Database.Crash(ctx, func() error { return l.sample(ctx, 0) }); err != nil {
		return err
	}
	return l.recover(ctx)
}

// promote attaches a standby, kills the primary some time later and promotes the standby.
func (l *ledger) promote(ctx context.Context, _ int) error {
	if err := l.system.Database.AttachStandby(ctx); err != nil {
		return err
	}
	if err := pause(ctx, 2*shortPause); err != nil {
		return err
	}
	if err := l.system.Database.FailOver(ctx, func() error { return l.sample(ctx, 0) }); err != nil {
		return err
	}
	return l.recover(ctx)
}

// recover waits until a change is acknowledged after an outage.
func (l *ledger) recover(ctx context.Context) error {
	l.journal.OutageEnded()
	const poll = 20 * time.Millisecond
	for began := time.Now(); !l.journal.Recovered(); {
		if time.Since(began) > recoveryTimeout {
			return fmt.Errorf("no change was acknowledged within %s after the outage", recoveryTimeout)
		}
		if err := pause(ctx, poll); err != nil {
			return err
		}
	}
	return pause(ctx, shortPause)
}

// freeze freezes the open connections to the database of one process or, every second
// time, of all.
func (l *ledger) freeze(ctx context.Context, i int) error {
	processes := l.system.Processes()
	freeze, thaw := l.system.Database.Freeze, l.system.Database.Thaw
	if i%2 == 0 {
		p := processes[i/2%len(processes)]
		freeze, thaw = p.Database.Freeze, p.Database.Thaw
	}
	if err := freeze(); err != nil {
		return err
	}
	if err := l.sample(ctx, freezeTime); err != nil {
		return err
	}
	thaw()
	return pause(ctx, shortPause)
}

// cut closes the connections between two parts, and refuses new ones for a moment.
func (l *ledger) cut(ctx context.Context, i int) error {
	links := append([]*system.Link{l.system.API, l.system.Hook, l.system.Provider}, l.system.Behind...)
	for _, p := range l.system.Processes() {
		links = append(links, p.Database)
	}
	link := links[i%len(links)]
	link.Cut()
	if err := l.sample(ctx, sampleTime); err != nil {
		return err
	}
	if err := link.Restore(); err != nil {
		return err
	}
	return pause(ctx, shortPause)
}

// sample looks for deliveries in flight for a time after a fault.
func (l *ledger) sample(ctx context.Context, length time.Duration) error {
	inFlight := map[string]bool{}
	for end := time.Now().Add(length); ; {
		if err := l.receiver.MarkInFlight(ctx, l.system.Database.URL(), l.hook.ID.String(), inFlight); err != nil {
			return err
		}
		if !time.Now().Before(end) {
			return nil
		}
		if err := pause(ctx, samplePause); err != nil {
			return err
		}
	}
}
