package httpapi

import (
	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/knowledge"
	"github.com/avelto/convo/openapi/timestamp"
)

func toAPIKnowledgeSource(row db.KnowledgeSource) api.KnowledgeSource {
	return api.KnowledgeSource{
		ID: row.ID, Type: row.Type, FileName: row.FileName, URL: row.URL, ChunkCount: row.ChunkCount,
		CreatedAt: timestamp.New(row.CreatedAt), UpdatedAt: timestamp.New(row.UpdatedAt),
	}
}

func toAPIKnowledgeHit(hit knowledge.Hit) api.KnowledgeSearchResult {
	return api.KnowledgeSearchResult{
		ChunkID: hit.ID, SourceID: hit.SourceID, Snippet: hit.Snippet, Heading: hit.Heading, Page: hit.Page, URL: hit.URL(), Score: hit.Score,
	}
}
