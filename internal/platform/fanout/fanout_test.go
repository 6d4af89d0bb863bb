package fanout_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/fanout"
	"github.com/avelto/convo/internal/testing/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

var silent = slog.New(slog.DiscardHandler)

// wire is a transport that passes each batch on to everyone.
type wire struct{ batches chan []byte }

func (w wire) Send(_ context.Context, batch []byte) error {
	w.batches <- batch
	return nil
}

func (wire) Receive(ctx context.Context, _ func([]byte)) error {
	<-ctx.Done()
	return ctx.Err()
}

func (wire) MaxBatch() int { return 500 }

func TestSubscribersOfATopicAreWoken(t *testing.T) {
	t.Parallel()
	hub, topic := fanout.NewHub(nil, silent), uuid.New()
	one, two, other := hub.Subscribe(topic), hub.Subscribe(topic), hub.Subscribe(uuid.New())
	hub.Publish(fanout.Hint{Topic: topic}, fanout.Hint{Topic: topic}, fanout.Hint{Topic: topic, Signal: json.RawMessage(`"typing"`)})
	for _, s := range []*fanout.Subscription{one, two} {
		<-s.Changed()
		require.Empty(t, s.Changed(), "many changes wake once")
		require.JSONEq(t, `"typing"`, string(<-s.Signals()))
	}
	require.Empty(t, other.Changed())
	require.Len(t, hub.Topics(), 2)
	one.Close()
	two.Close()
	require.Len(t, hub.Topics(), 1)
	hub.Publish(fanout.Hint{Topic: topic})
	require.Empty(t, one.Changed())
}

func TestASlowSubscriberDelaysNoOne(t *testing.T) {
	t.Parallel()
	hub, topic := fanout.NewHub(nil, silent), uuid.New()
	slow := hub.Subscribe(topic)
	for range 100 {
		hub.Publish(fanout.Hint{Topic: topic}, fanout.Hint{Topic: topic, Signal: json.RawMessage(`1`)})
	}
	<-slow.Changed()
	require.NotEmpty(t, slow.Signals())
}

func TestHintsAreSentTogetherAndOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		w := wire{make(chan []byte, 100)}
		hub := fanout.NewHub(w, silent)
		go hub.Run(ctx)
		topics := make([]uuid.UUID, 20)
		for i := range topics {
			topics[i] = uuid.New()
		}
		for range 10 {
			for _, topic := range topics {
				hub.Publish(fanout.Hint{Topic: topic})
			}
		}
		time.Sleep(time.Second) // in the bubble: costs no time
		found := map[string]int{}
		for len(w.batches) > 0 {
			raw := <-w.batches
			require.LessOrEqual(t, len(raw), 500)
			var batch struct {
				Hints []fanout.Hint `json:"h"`
			}
			require.NoError(t, json.Unmarshal(raw, &batch))
			for _, hint := range batch.Hints {
				found[hint.Topic.String()]++
			}
		}
		require.Len(t, found, len(topics))
		for topic, n := range found {
			require.Equal(t, 1, n, topic)
		}
		stop()
		synctest.Wait()
	})
}

// requireExchange runs two hubs and requires that hints of one reach the other.
func requireExchange(t *testing.T, here, there *fanout.Hub) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for _, hub := range []*fanout.Hub{here, there} {
		running.Go(func() { hub.Run(ctx) })
	}
	defer running.Wait()
	defer stop()
	topic := uuid.New()
	s, own := there.Subscribe(topic), here.Subscribe(topic)
	require.Eventually(t, func() bool { // until both listen
		here.Publish(fanout.Hint{Topic: topic, Signal: json.RawMessage(`{"typing":true}`)})
		return len(s.Signals()) > 0
	}, 30*time.Second, 20*time.Millisecond)
	require.JSONEq(t, `{"typing":true}`, string(<-s.Signals()))
	here.Publish(fanout.Hint{Topic: topic})
	<-s.Changed()
	<-own.Changed()
}

func TestHintsReachOtherProcessesThroughPostgreSQL(t *testing.T) {
	t.Parallel()
	on := testdb.New(t)
	ctx, stop := context.WithCancel(t.Context())
	var listening sync.WaitGroup
	defer listening.Wait()
	defer stop()
	hub := func() *fanout.Hub {
		transport := fanout.NewPostgreSQL(on)
		listening.Go(func() { on.Listen(ctx, silent, transport.Channel()) })
		return fanout.NewHub(transport, silent)
	}
	requireExchange(t, hub(), hub())
}

func TestHintsReachOtherProcessesThroughNATS(t *testing.T) {
	t.Parallel()
	broker, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true})
	require.NoError(t, err)
	broker.Start()
	t.Cleanup(broker.Shutdown)
	require.True(t, broker.ReadyForConnections(10*time.Second))
	hub := func() *fanout.Hub {
		transport, err := fanout.NewNATS(broker.ClientURL())
		require.NoError(t, err)
		t.Cleanup(transport.Close)
		return fanout.NewHub(transport, silent)
	}
	requireExchange(t, hub(), hub())
}

func TestAMalformedNATSURLIsNotEchoed(t *testing.T) {
	t.Parallel()
	_, err := fanout.NewNATS("nats://user:secret-word@[broken")
	require.Error(t, err)
	require.NotContains(t, err.Error(), "secret-word")
}
