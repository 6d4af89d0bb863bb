package app

import (
	"cmp"
	"context"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/knowledge"
	"github.com/avelto/convo/internal/platform/extract"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/wake"
)

// The settings of Config where they are 0. What one workspace may use is less than there
// is of each.
const (
	defaultUploadWorkers  = 3
	defaultCrawlWorkers   = 4
	defaultKnowledgeShare = 2
	defaultMaxUploads     = 1000
	defaultMaxCrawls      = 100
	defaultCrawlPages     = 200
)

// knowledgeConns is the pool of the workers that ingest knowledge. What they store takes
// seconds at times, which requests must not wait for.
const knowledgeConns = 4

// addKnowledge adds the workers that ingest knowledge to the app's loops.
func (a *App) addKnowledge(ctx context.Context, config Config, parts Parts, out *connections, reader *extract.Runner) error {
	own, err := parts.DB.Apart(ctx, knowledgeConns)
	if err != nil {
		return err
	}
	a.opened = append(a.opened, own.Close)
	ids := id.NewGenerator(parts.Clock)
	worker := &knowledge.Worker{
		DB: own, IDs: ids, Events: a.newEventRecorder(ids), Clock: parts.Clock, Blobs: out.blobs, Guard: out.guard,
		Extract: reader, MaxPages: cmp.Or(config.CrawlPages, defaultCrawlPages), Log: parts.Log,
	}
	share := cmp.Or(config.KnowledgeShare, defaultKnowledgeShare)
	pool := func(kind api.KnowledgeType, size int) *knowledge.Pool {
		signal := wake.NewSignal()
		a.bell.Listen(wake.Knowledge, signal)
		return &knowledge.Pool{Worker: worker, Type: kind, Size: size, Share: share, Wake: signal, Poll: parts.Poll}
	}
	uploads := pool(api.KnowledgeTypeUPLOAD, cmp.Or(config.UploadWorkers, defaultUploadWorkers))
	crawls := pool(api.KnowledgeTypeCRAWL, cmp.Or(config.CrawlWorkers, defaultCrawlWorkers))
	a.loops = append(a.loops, func(ctx context.Context) {
		defer own.Close()
		knowledge.RunPools(ctx, uploads, crawls)
	})
	return nil
}
