package widget

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/fanout"
)

const (
	// maxPerVisitor is how many streams a visitor has; another one ends the oldest, whose
	// client may be gone.
	maxPerVisitor = 6
	// Streams beyond these are refused.
	maxPerAddress   = 1_000
	maxPerWorkspace = 10_000
	maxStreams      = 20_000

	// checkEvery is the time between two checks that no hint was lost.
	checkEvery   = 3 * time.Second
	checkTimeout = 10 * time.Second
	// checkBatch is how many visitors one statement looks up.
	checkBatch = 5_000
)

// Streams holds the open streams of a process.
type Streams struct {
	Service *Service
	Hub     *fanout.Hub
	Log     *slog.Logger

	turns   *turns
	running sync.WaitGroup

	mu          sync.Mutex
	open        map[*Stream]struct{}
	byVisitor   map[uuid.UUID][]*Stream // by topic, oldest first
	byAddress   map[string]int
	byWorkspace map[uuid.UUID]int
	closed      bool
}

// NewStreams returns a process's streams.
func NewStreams(service *Service, log *slog.Logger) *Streams {
	return &Streams{
		Service: service, Hub: service.Hub, Log: log, turns: newTurns(),
		open: map[*Stream]struct{}{}, byVisitor: map[uuid.UUID][]*Stream{}, byAddress: map[string]int{}, byWorkspace: map[uuid.UUID]int{},
	}
}

// Open opens a stream that continues at a position. The caller calls Run, which closes it. It
// fails with ErrTooManyStreams.
func (s *Streams) Open(ctx context.Context, session *Session, address string, at Position) (*Stream, error) {
	stream := &Stream{
		streams: s, session: session, address: address, lives: session.ExpiresAt.Sub(s.Service.Clock.Now()),
		feed: feed{service: s.Service, visitor: session.Visitor}, ended: make(chan struct{}),
	}
	if err := stream.feed.resume(ctx, at); err != nil {
		return nil, err
	}
	stream.seen = stream.feed.at
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.open) >= maxStreams || s.byAddress[address] >= maxPerAddress || s.byWorkspace[session.WorkspaceID] >= maxPerWorkspace {
		return nil, ErrTooManyStreams
	}
	topic := session.Topic()
	if own := s.byVisitor[topic]; len(own) >= maxPerVisitor {
		s.endLocked(own[0])
	}
	s.open[stream] = struct{}{}
	s.byVisitor[topic] = append(s.byVisitor[topic], stream)
	s.byAddress[address]++
	s.byWorkspace[session.WorkspaceID]++
	s.running.Add(1)
	return stream, nil
}

func (s *Streams) end(stream *Stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endLocked(stream)
}

// endLocked requires the lock. The stream counts no longer; Run notices.
func (s *Streams) endLocked(stream *Stream) {
	if _, ok := s.open[stream]; !ok {
		return
	}
	close(stream.ended)
	delete(s.open, stream)
	topic := stream.session.Topic()
	own := slices.DeleteFunc(s.byVisitor[topic], func(one *Stream) bool { return one == stream })
	if s.byVisitor[topic] = own; len(own) == 0 {
		delete(s.byVisitor, topic)
	}
	less(s.byAddress, stream.address)
	less(s.byWorkspace, stream.session.WorkspaceID)
}

func less[Key comparable](counts map[Key]int, key Key) {
	if counts[key]--; counts[key] == 0 {
		delete(counts, key)
	}
}

// remove is called once, when a stream has ended.
func (s *Streams) remove(stream *Stream) {
	s.end(stream)
	s.running.Done()
}

func (s *Streams) saw(stream *Stream, at Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stream.seen = at
}

// Len returns how many streams are open.
func (s *Streams) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// Run checks that no hint was lost and that the channels are still there, until ctx ends; it
// then ends all streams, and returns when they have ended. Clients open others, at another
// process.
func (s *Streams) Run(ctx context.Context) {
	ticker := time.NewTicker(checkEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			s.close()
			s.running.Wait()
			return
		case <-ticker.C:
		}
		if err := errors.Join(s.check(ctx), s.expire(ctx)); err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "open streams not checked", "error", err)
		}
	}
}

// expire ends the streams of channels that were disabled or deleted, as if their sessions had
// expired: no new session can begin.
func (s *Streams) expire(ctx context.Context) error {
	for batch := range slices.Chunk(s.channels(), checkBatch) {
		ctx, cancel := context.WithTimeout(ctx, checkTimeout)
		closed, err := db.New().SystemWidgetChannelListClosed(ctx, s.Service.DB, db.SystemWidgetChannelListClosedParams{IDs: batch})
		cancel()
		if err != nil {
			return fmt.Errorf("look up channels of streams: %w", err)
		}
		if len(closed) > 0 {
			s.endChannels(closed)
		}
	}
	return nil
}

// channels returns the channels with open streams.
func (s *Streams) channels() []uuid.UUID {
	s.mu.Lock()
	defer s.mu.Unlock()
	distinct := map[uuid.UUID]struct{}{}
	for stream := range s.open {
		distinct[stream.session.ChannelID] = struct{}{}
	}
	return slices.Collect(maps.Keys(distinct))
}

func (s *Streams) endChannels(ids []uuid.UUID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for stream := range s.open {
		if slices.Contains(ids, stream.session.ChannelID) {
			stream.expired = true
			s.endLocked(stream)
		}
	}
}

func (s *Streams) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for stream := range s.open {
		s.endLocked(stream)
	}
}

// watched is a visitor with open streams, and the least position of them.
type watched struct {
	visitor Visitor
	at      Position
}

// watched returns the visitors with open streams.
func (s *Streams) watched() []watched {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]watched, 0, len(s.byVisitor))
	for _, own := range s.byVisitor {
		least := watched{own[0].session.Visitor, own[0].seen}
		for _, stream := range own[1:] {
			if stream.seen.Conversation != least.at.Conversation || stream.seen.Revision < least.at.Revision {
				least.at = stream.seen
			}
		}
		all = append(all, least)
	}
	return all
}

// check wakes streams whose position is not that of their conversation, as one statement
// finds for many of them.
func (s *Streams) check(ctx context.Context) error {
	for batch := range slices.Chunk(s.watched(), checkBatch) {
		ctx, cancel := context.WithTimeout(ctx, checkTimeout)
		err := s.checkBatch(ctx, batch)
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Streams) checkBatch(ctx context.Context, batch []watched) error {
	var of db.SystemWidgetRevisionsParams
	for i, one := range batch {
		of.Numbers = append(of.Numbers, int32(i))
		of.WorkspaceIDs, of.ChannelIDs = append(of.WorkspaceIDs, one.visitor.WorkspaceID), append(of.ChannelIDs, one.visitor.ChannelID)
		of.ExternalIDs = append(of.ExternalIDs, one.visitor.ExternalID)
	}
	rows, err := db.New().SystemWidgetRevisions(ctx, s.Service.DB, of)
	if err != nil {
		return fmt.Errorf("look up conversations of streams: %w", err)
	}
	for _, row := range rows {
		if one := batch[row.Number]; one.at != (Position{row.ID, row.Revision}) {
			s.Hub.Wake(one.visitor.Topic())
		}
	}
	return nil
}
