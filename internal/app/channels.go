package app

import (
	"context"
	"sync"

	"github.com/avelto/convo/internal/api/hooks"
	"github.com/avelto/convo/internal/domain/channel/inbound"
	"github.com/avelto/convo/internal/domain/channel/live"
	"github.com/avelto/convo/internal/domain/channel/outbound"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/platform/fanout"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/wake"
)

const (
	// channelConns is the pool of what sends and receives messages.
	channelConns = 8
	// listenPolls is how many polls of other workers are between two claims of connections.
	listenPolls = 5
	// livePolls is how many are between two looks for the messages of a call, which hints
	// announce.
	livePolls = 5
)

// addLive adds what tells other processes which conversations have changed: through NATS
// where it is configured, else through the database.
func (a *App) addLive(config Config, parts Parts) error {
	if config.NATSURL == "" {
		transport := fanout.NewPostgreSQL(parts.DB)
		a.channels = append(a.channels, transport.Channel())
		a.live = fanout.NewHub(transport, parts.Log)
		a.loops = append(a.loops, a.live.Run)
		return nil
	}
	transport, err := fanout.NewNATS(config.NATSURL)
	if err != nil {
		return err
	}
	a.opened = append(a.opened, transport.Close)
	a.live = fanout.NewHub(transport, parts.Log)
	a.loops = append(a.loops, func(ctx context.Context) {
		defer transport.Close()
		a.live.Run(ctx)
	})
	return nil
}

// newConversations returns the rules of conversations.
func (a *App) newConversations(parts Parts, out *connections) *conversation.Service {
	ids := id.NewGenerator(parts.Clock)
	return &conversation.Service{
		DB: parts.DB, IDs: ids, Clock: parts.Clock, Pages: page.NewCodec(parts.Key, parts.OldKeys...), Events: a.newEventRecorder(ids),
		Providers: out.channels.Providers, Addresses: conversation.NewAddresses(parts.Key, parts.OldKeys...), Bell: a.bell, Live: a.live,
	}
}

func newInbound(parts Parts, out *connections, conversations *conversation.Service) *inbound.Engine {
	return &inbound.Engine{
		DB: parts.DB, Channels: out.channels, Conversations: conversations, Blobs: out.blobs, IDs: conversations.IDs, Log: parts.Log,
	}
}

// newHooks returns the handler of what the providers of channels send.
func (a *App) newHooks(config Config, parts Parts, out *connections, conversations *conversation.Service) (*hooks.Handler, error) {
	clientIP, err := config.clientIP()
	if err != nil {
		return nil, err
	}
	receiver := newInbound(parts, out, conversations)
	handler := hooks.New(receiver, parts.Limiter, parts.Clock, parts.Log, clientIP)
	handler.Live = &live.Engine{
		Inbound: receiver, Outbound: newOutbound(parts, parts.DB, out, conversations), Hub: a.live, Clock: parts.Clock, Log: parts.Log, Poll: livePolls * parts.Poll,
	}
	a.loops = append(a.loops, handler.Live.Run)
	return handler, nil
}

// newOutbound returns what sends messages, which does not run yet.
func newOutbound(parts Parts, claims *postgres.DB, out *connections, conversations *conversation.Service) *outbound.Engine {
	return outbound.New(outbound.Options{
		DB: parts.DB, Claims: claims, Channels: out.channels, Conversations: conversations, Blobs: out.blobs, Clock: parts.Clock, Log: parts.Log,
		Wake: wake.NewSignal(), Poll: parts.Poll,
	})
}

// addChannels adds what sends messages through channels, fetches the files of received ones,
// and holds the connections of channels that receive over one.
func (a *App) addChannels(ctx context.Context, parts Parts, out *connections) error {
	own, err := parts.DB.Keyed(ctx, channelConns)
	if err != nil {
		return err
	}
	claims, err := parts.DB.Keyed(ctx, 1)
	if err != nil {
		own.Close()
		return err
	}
	a.opened = append(a.opened, own.Close, claims.Close)
	parts.DB = own
	conversations := a.newConversations(parts, out)
	sender := newOutbound(parts, claims, out, conversations)
	a.bell.Listen(wake.Messages, sender.Wake)
	fetcher := &inbound.Fetcher{
		DB: own, Channels: out.channels, Conversations: conversations, Blobs: out.blobs, IDs: conversations.IDs, Clock: parts.Clock,
		Log: parts.Log, Wake: wake.NewSignal(), Poll: parts.Poll,
	}
	a.bell.Listen(wake.Attachments, fetcher.Wake)
	listeners := inbound.NewListeners(newInbound(parts, out, conversations), parts.Clock, listenPolls*parts.Poll)
	a.loops = append(a.loops, func(ctx context.Context) {
		defer own.Close()
		defer claims.Close()
		var running sync.WaitGroup
		for _, run := range []loop{sender.Run, fetcher.Run, listeners.Run} {
			running.Go(func() { run(ctx) })
		}
		running.Wait()
	})
	return nil
}
