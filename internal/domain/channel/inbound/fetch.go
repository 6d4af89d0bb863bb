package inbound

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/platform/blob"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/wake"
)

const (
	// maxFetches bounds the files that a process downloads at a time, and fetchShare those
	// of one workspace in all processes.
	maxFetches = 64
	fetchShare = 4
	// maxFile is the largest file that is kept, in bytes.
	maxFile = 20 << 20
	// fetchTimeout bounds a download, and fetchLease is how long it is another process's.
	fetchTimeout = 2 * time.Minute
	fetchLease   = fetchTimeout + 30*time.Second
	// statementTimeout bounds what is asked of the database.
	statementTimeout = 10 * time.Second
)

// fetchBackoff is the wait after each failed download. After the last one, it fails.
var fetchBackoff = []time.Duration{10 * time.Second, time.Minute, 10 * time.Minute, time.Hour}

// errFileTooLarge means that a file has more than maxFile bytes.
var errFileTooLarge = errors.New("inbound: the file is too large")

// Fetcher downloads the files of received messages from their providers.
type Fetcher struct {
	DB            *postgres.DB
	Channels      *channel.Opener
	Conversations *conversation.Service
	Blobs         blob.Store
	IDs           *id.Generator
	Clock         clock.Clock
	Log           *slog.Logger
	// Wake wakes the fetcher. It polls as well.
	Wake  wake.Signal
	Poll  time.Duration
	after uuid.UUID // the workspace of the last claim
}

// Run downloads until ctx ends.
func (f *Fetcher) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	ended := make(chan struct{}, maxFetches)
	for free := maxFetches; ctx.Err() == nil; {
		claims, err := f.claim(ctx, free)
		if err != nil && ctx.Err() == nil {
			f.Log.WarnContext(ctx, "attachments not claimed", "error", err)
		}
		free -= len(claims)
		for _, one := range claims {
			running.Go(func() {
				f.work(ctx, one)
				ended <- struct{}{}
			})
		}
		free += f.wait(ctx, ended)
	}
}

// wait waits until there may be something to claim. It returns how many downloads ended.
func (f *Fetcher) wait(ctx context.Context, ended <-chan struct{}) int {
	timer := time.NewTimer(f.Poll)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-f.Wake:
	case <-ended:
		return 1
	}
	return 0
}

func (f *Fetcher) claim(ctx context.Context, free int) ([]db.SystemAttachmentClaimRow, error) {
	if free == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	now := f.Clock.Now()
	claims, err := db.New().SystemAttachmentClaim(ctx, f.DB, db.SystemAttachmentClaimParams{
		Now: now, Until: now.Add(fetchLease), Share: fetchShare, RowLimit: int32(free), AfterWorkspace: f.after,
	})
	if err != nil {
		return nil, fmt.Errorf("claim attachments: %w", err)
	}
	if len(claims) > 0 {
		f.after = claims[len(claims)-1].WorkspaceID
	}
	return claims, nil
}

// work downloads a file and records the outcome. If that fails, the lease ends, and the
// file is downloaded again.
func (f *Fetcher) work(ctx context.Context, claimed db.SystemAttachmentClaimRow) {
	file, err := f.fetch(ctx, claimed)
	if ctx.Err() != nil && err != nil {
		return
	}
	if err != nil {
		f.Log.WarnContext(ctx, "attachment not fetched", "workspaceId", claimed.WorkspaceID, "attachmentId", claimed.ID, "error", err)
	}
	recording, cancel := context.WithTimeout(context.WithoutCancel(ctx), statementTimeout)
	defer cancel()
	if err := f.record(recording, claimed, file, err); err != nil {
		f.Log.WarnContext(ctx, "outcome of an attachment not recorded", "attachmentId", claimed.ID, "error", err)
	}
}

func (f *Fetcher) record(ctx context.Context, claimed db.SystemAttachmentClaimRow, file *conversation.Fetched, failure error) error {
	if failure != nil && f.passes(failure) && int(claimed.Tries) <= len(fetchBackoff) {
		next := f.Clock.Now().Add(fetchBackoff[claimed.Tries-1])
		err := db.New().AttachmentReschedule(ctx, f.DB, db.AttachmentRescheduleParams{WorkspaceID: claimed.WorkspaceID, ID: claimed.ID, NextAttemptAt: next})
		if err != nil {
			return fmt.Errorf("reschedule attachment: %w", err)
		}
		return nil
	}
	return postgres.WithTx(ctx, f.DB, func(ctx context.Context, tx postgres.Tx) error {
		return f.Conversations.FinishAttachment(ctx, tx, claimed.WorkspaceID, claimed.MessageID, claimed.ID, file)
	})
}

// passes reports whether a failure may pass.
func (*Fetcher) passes(err error) bool {
	if errors.Is(err, errFileTooLarge) || errors.Is(err, channel.ErrUnusable) {
		return false
	}
	failed, ok := errors.AsType[*provider.SendError](err)
	return !ok || failed.Kind == provider.Retryable || failed.Kind == provider.Credentials
}

// fetch downloads a file into the file storage.
func (f *Fetcher) fetch(ctx context.Context, claimed db.SystemAttachmentClaimRow) (*conversation.Fetched, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	opened, err := f.Channels.Open(claimed.Channel)
	if err != nil {
		return nil, err
	}
	source, ok := opened.Provider.(provider.Fetcher)
	if !ok || claimed.ExternalID == nil {
		return nil, fmt.Errorf("%w: %s has no files to fetch", channel.ErrUnusable, claimed.Channel.Type)
	}
	file, err := source.Fetch(ctx, opened.Channel, *claimed.ExternalID)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if file.SizeBytes > maxFile {
		return nil, errFileTooLarge
	}
	fileID, _ := f.IDs.New()
	key := AttachmentKey(claimed.WorkspaceID, fileID)
	content := &counter{from: file, left: maxFile}
	if err := f.Blobs.Put(ctx, key, content, -1); err != nil {
		return nil, fmt.Errorf("store attachment: %w", err)
	}
	contentType := file.ContentType
	if contentType == "" && claimed.ContentType != nil {
		contentType = *claimed.ContentType
	}
	if contentType == "" {
		contentType = "application/octet-stream"
	}
	return &conversation.Fetched{BlobKey: key, Name: file.Name, ContentType: contentType, SizeBytes: maxFile - content.left}, nil
}

// counter fails once more bytes are read than there may be.
type counter struct {
	from io.Reader
	left int64
}

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	if c.left -= int64(n); c.left < 0 {
		return 0, errFileTooLarge
	}
	return n, err //nolint:wrapcheck // an io.Reader returns io.EOF itself
}
