//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/avelto/convo/scripts/ledger/load"
	"github.com/avelto/convo/scripts/ledger/system"
)

const (
	// groups is more than a run of ten minutes can use.
	groups = 40
	// settleTime is how long what follows from the last change may take.
	settleTime = time.Minute
	// sendTime is how long messages may take: those of a worker that was killed are sent once
	// its lease has ended, and then one a second to a chat.
	sendTime = 4 * time.Minute
)

// ledger is a run.
type ledger struct {
	*command

	system   *system.System
	journal  *load.Journal
	client   *load.Client
	receiver *load.Receiver
	telegram *load.Telegram
	ground   *load.Ground
	hook     load.Webhook

	leads    *load.Leads
	keys     *load.Keys
	bulk     *load.Bulk
	follower *load.Follower
	claims   *load.Claims
	talk     *load.Talk
}

// open starts the system and prepares its clients.
func open(ctx context.Context, dir string, c *command) (l *ledger, err error) {
	l = &ledger{command: c, journal: &load.Journal{}}
	defer func() {
		if err != nil {
			l.close(ctx)
		}
	}()
	if l.receiver, err = load.NewReceiver(); err != nil {
		return l, err
	}
	if l.telegram, err = load.NewTelegram(); err != nil {
		return l, err
	}
	if l.system, err = system.Start(ctx, dir, c.Binary, l.receiver.Address(), l.telegram.Address()); err != nil {
		return l, err
	}
	if l.ground, err = load.Seed(ctx, l.system.Database.URL(), system.Workspace, groups); err != nil {
		return l, err
	}
	l.client = load.NewClient(l.system.API.Address(), l.system.Token, l.journal)
	if l.hook, err = load.CreateWebhook(ctx, l.client, l.system.Hook.Address()); err != nil {
		return l, err
	}
	l.receiver.Trust(l.hook.SigningSecret)
	l.leads, l.keys, l.follower = &load.Leads{Client: l.client}, &load.Keys{Client: l.client}, &load.Follower{Client: l.client}
	l.bulk = &load.Bulk{Client: l.client, Groups: l.ground.Groups, Operators: l.ground.Operators}
	if l.talk, err = load.OpenTalk(ctx, l.client, l.system.Provider.Address()); err != nil {
		return l, err
	}
	return l, l.openClaims(ctx)
}

// openClaims gives the claims a disabled webhook of their own.
func (l *ledger) openClaims(ctx context.Context) error {
	hook, err := load.CreateWebhook(ctx, l.client, l.system.Hook.Address())
	if err != nil {
		return err
	}
	if err := load.DisableWebhook(ctx, l.client, hook); err != nil {
		return err
	}
	address, err := l.system.Link("claims to database")
	if err != nil {
		return err
	}
	l.claims, err = load.OpenClaims(ctx, address, l.ground.Workspace, hook.ID)
	return err
}

func (l *ledger) close(ctx context.Context) {
	if l.system != nil {
		l.system.Stop(context.WithoutCancel(ctx))
	}
	if l.receiver != nil {
		l.receiver.Close()
	}
	if l.telegram != nil {
		l.telegram.Close()
	}
}

// run drives the system during all phases, and compares.
func (l *ledger) run(ctx context.Context) (*findings, error) {
	driving, stop := context.WithCancel(ctx)
	defer stop()
	var clients, readers sync.WaitGroup
	clients.Go(func() { l.leads.Run(driving, l.Clients) })
	clients.Go(func() { l.keys.Run(driving) })
	clients.Go(func() { l.bulk.Run(driving) })
	clients.Go(func() { l.claims.Run(driving) })
	clients.Go(func() { l.talk.Run(driving) })
	following, stopFollowing := context.WithCancel(ctx)
	defer stopFollowing()
	readers.Go(func() { l.follower.Run(following) })
	readers.Go(func() { l.talk.Follow(following) })
	started := time.Now()
	for _, p := range l.phases() {
		if p.count == 0 {
			continue
		}
		l.journal.Enter(p.name)
		fmt.Fprintf(os.Stderr, "%5.0f s  %s × %d\n", time.Since(started).Seconds(), p.name, p.count)
		for i := range p.count {
			if err := p.fault(ctx, i); err != nil {
				return nil, fmt.Errorf("%s %d: %w", p.name, i+1, err)
			}
		}
		if err := pause(ctx, p.after); err != nil {
			return nil, err
		}
	}
	l.journal.End()
	stop()
	clients.Wait()
	l.claims.DB.Close()
	fmt.Fprintf(os.Stderr, "%5.0f s  comparing\n", time.Since(started).Seconds())
	kept, err := l.settle(ctx)
	stopFollowing()
	readers.Wait()
	if err != nil {
		return nil, err
	}
	return l.compare(kept, time.Since(started))
}

// pause waits, and fails if the run is interrupted.
func pause(ctx context.Context, length time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(length):
		return nil
	}
}
