package knowledge

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/crawl"
	"github.com/avelto/convo/internal/platform/extract"
	"github.com/avelto/convo/internal/platform/postgres"
)

// unchanged is the reason for skipping a page whose content is indexed already.
const unchanged = "unchanged"

// walk is a crawl in progress.
type walk struct {
	*Worker

	job    db.KnowledgeJob
	source db.KnowledgeSource
	site   *crawl.Site
}

// maxWait is the longest wait between two pages for which a crawl keeps its worker.
const maxWait = 2 * time.Second

// crawl reads a site page by page, for a turn. The links of a page are stored together with
// its outcome, so that another worker can resume the crawl without reading a page twice.
func (w *Worker) crawl(ctx context.Context, job db.KnowledgeJob, source db.KnowledgeSource) (turn, error) {
	visit := walk{Worker: w, job: job, source: source, site: w.sites.take(job.ID)}
	defer visit.close()
	if visit.site == nil {
		if ended, err := visit.open(ctx); ended || err != nil {
			return turn{ended: ended}, err
		}
	}
	began, delay := w.Clock.Now(), visit.site.Delay()
	for first := true; ; first = false {
		page, err := db.New().KnowledgePageNext(ctx, w.DB, db.KnowledgePageNextParams{WorkspaceID: job.WorkspaceID, JobID: job.ID})
		if postgres.IsNotFound(err) {
			return turn{ended: true}, visit.finish(ctx)
		} else if err != nil {
			return turn{}, fmt.Errorf("next page: %w", err)
		}
		if !first {
			if delay > maxWait || w.Clock.Now().Sub(began) >= turnTime {
				w.sites.keep(job.ID, visit.site, w.Clock.Now())
				return turn{wait: delay}, nil
			}
			if err := pause(ctx, delay); err != nil {
				return turn{}, err
			}
		}
		if err := visit.page(ctx, page.URL, page.Depth); err != nil {
			return turn{}, err
		}
	}
}

func pause(ctx context.Context, delay time.Duration) error {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// open opens the site, and reads its sitemap unless an earlier turn has read it. If the site
// cannot be opened, it ends the job.
func (v *walk) open(ctx context.Context) (ended bool, err error) {
	start, err := url.Parse(*v.source.URL)
	if err != nil {
		return false, fmt.Errorf("address of source: %w", err)
	}
	accepts := make([]string, len(AcceptedTypes))
	for i, one := range AcceptedTypes {
		accepts[i] = string(one.Kind)
	}
	v.site, err = crawl.Open(ctx, crawl.Options{Guard: v.Guard, Reader: v.Extract, Start: start, Accepts: accepts})
	if failure, ok := errors.AsType[*crawl.PageError](err); ok && ctx.Err() == nil {
		return true, v.end(ctx, v.job, &extract.Error{Code: extract.Code(api.KnowledgeJobErrorCodeCrawlFailed), Message: "The site " + failure.Reason + "."},
			func(ctx context.Context, tx postgres.Tx) error {
				return endPage(ctx, tx, v.job, *v.source.URL, pageFailed, failure.Reason)
			})
	} else if err != nil {
		return false, err
	}
	begun, err := db.New().KnowledgePageAnyEnded(ctx, v.DB, db.KnowledgePageAnyEndedParams{WorkspaceID: v.job.WorkspaceID, JobID: v.job.ID})
	if err != nil {
		return false, fmt.Errorf("pages that have ended: %w", err)
	}
	if begun || *v.source.Depth == 0 {
		return false, nil
	}
	return false, v.add(ctx, v.DB, 1, v.site.Sitemap(ctx, v.MaxPages))
}

// close closes idle connections. The site can be used again.
func (v *walk) close() {
	if v.site != nil {
		v.site.Close()
	}
}

// add stores pages that were found, up to the page limit. Only one worker has the job.
func (v *walk) add(ctx context.Context, on db.DBTX, depth int32, urls []string) error {
	if len(urls) == 0 {
		return nil
	}
	known, err := db.New().KnowledgePageListKnown(ctx, on, db.KnowledgePageListKnownParams{WorkspaceID: v.job.WorkspaceID, JobID: v.job.ID, URLs: urls})
	if err != nil {
		return fmt.Errorf("known pages: %w", err)
	}
	total, err := db.New().KnowledgePageTotal(ctx, on, db.KnowledgePageTotalParams{WorkspaceID: v.job.WorkspaceID, JobID: v.job.ID})
	if err != nil {
		return fmt.Errorf("count pages: %w", err)
	}
	seen := make(map[string]bool, len(known))
	for _, one := range known {
		seen[one] = true
	}
	fresh := slices.DeleteFunc(slices.Clone(urls), func(one string) bool { return seen[one] })
	fresh = fresh[:min(len(fresh), max(0, v.MaxPages-int(total)))]
	err = db.New().KnowledgePageAdd(ctx, on, db.KnowledgePageAddParams{WorkspaceID: v.job.WorkspaceID, JobID: v.job.ID, Depth: depth, URLs: fresh})
	if err != nil {
		return fmt.Errorf("add pages: %w", err)
	}
	return nil
}

// page reads one page and stores the outcome.
func (v *walk) page(ctx context.Context, address string, depth int32) error {
	found, err := v.site.Fetch(ctx, address)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var content *indexed
	if err == nil {
		if err = found.Unreadable; err == nil {
			content = &indexed{ids: v.IDs, url: found.URL, hash: found.Index.Hash, passages: found.Index.Passages}
		}
	}
	state, reason := pageDone, ""
	if failure, ok := errors.AsType[*crawl.PageError](err); ok {
		state, reason = pageFailed, failure.Reason
		if failure.Skipped {
			state = pageSkipped
		}
	} else if err != nil {
		return err
	}
	return postgres.WithTx(ctx, v.DB, func(ctx context.Context, tx postgres.Tx) error {
		if content != nil {
			if state, reason, err = v.store(ctx, tx, *content); err != nil {
				return err
			}
		}
		if found != nil && depth < *v.source.Depth {
			if err := v.add(ctx, tx, depth+1, found.Links); err != nil {
				return err
			}
		}
		return endPage(ctx, tx, v.job, address, state, reason)
	})
}

// store indexes a page, unless the same content is there already.
func (v *walk) store(ctx context.Context, tx postgres.Tx, page indexed) (state, reason string, err error) {
	known, err := db.New().KnowledgeDocumentFind(ctx, tx, db.KnowledgeDocumentFindParams{
		WorkspaceID: v.source.WorkspaceID, SourceID: v.source.ID, URL: page.url, ContentHash: page.hash, JobID: v.job.ID,
	})
	switch {
	case err != nil:
		return "", "", fmt.Errorf("find page: %w", err)
	case known.Visited:
		return pageSkipped, "is the same page as another", nil
	case known.Unchanged:
		return pageSkipped, unchanged, db.New().KnowledgeDocumentTouch(ctx, tx, db.KnowledgeDocumentTouchParams{
			WorkspaceID: v.source.WorkspaceID, SourceID: v.source.ID, URL: page.url, JobID: v.job.ID,
		})
	case known.Elsewhere:
		return pageSkipped, "has the same content as another page", nil
	}
	if err := page.store(ctx, tx, v.source); err != nil {
		return "", "", err
	}
	return pageDone, "", db.New().KnowledgeDocumentTouch(ctx, tx, db.KnowledgeDocumentTouchParams{
		WorkspaceID: v.source.WorkspaceID, SourceID: v.source.ID, URL: page.url, JobID: v.job.ID,
	})
}

// finish ends the job and removes pages that no longer exist from the index. If no page
// could be read, the job fails and the index is kept.
func (v *walk) finish(ctx context.Context) error {
	job, err := withPages(ctx, v.DB, v.job.WorkspaceID, []db.KnowledgeJob{v.job})
	if err != nil {
		return err
	}
	if job[0].Done == 0 && job[0].Skipped == 0 {
		return v.end(ctx, v.job, &extract.Error{Code: extract.Code(api.KnowledgeJobErrorCodeCrawlFailed), Message: "No page of the site could be read."}, nil)
	}
	for deleted := int64(maxDeleted); deleted == maxDeleted; {
		if deleted, err = deleteUnvisited(ctx, v.DB, v.job, v.source); err != nil {
			return err
		}
	}
	return v.end(ctx, v.job, nil, nil)
}
