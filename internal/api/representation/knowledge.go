package representation

import (
	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/knowledge"
	"github.com/avelto/convo/openapi/timestamp"
)

// KnowledgeJob converts a job and its progress.
func KnowledgeJob(job knowledge.Job) api.KnowledgeJob {
	shown := api.KnowledgeJob{
		ID: job.ID, Type: job.Type, Status: job.Status, SourceID: job.SourceID,
		FileName: job.FileName, URL: job.URL, CreatedAt: timestamp.New(job.CreatedAt),
		StartedAt: timestamp.NewPtr(job.StartedAt), FinishedAt: timestamp.NewPtr(job.FinishedAt),
		Progress: api.KnowledgeJobProgress{
			PagesFound: int32(job.Found), PagesDone: int32(job.Done), PagesSkipped: int32(job.Skipped), PagesFailed: int32(job.Failed),
			Failures: List(job.Failures, pageFailure),
		},
	}
	if job.ErrorCode != nil && job.ErrorMessage != nil {
		shown.Error = &api.KnowledgeJobError{Code: *job.ErrorCode, Message: *job.ErrorMessage}
	}
	return shown
}

func pageFailure(row db.KnowledgePageFailuresRow) api.KnowledgePageFailure {
	failure := api.KnowledgePageFailure{URL: row.URL}
	if row.Reason != nil {
		failure.Reason = *row.Reason
	}
	return failure
}

// KnowledgeSource converts a source.
func KnowledgeSource(row db.KnowledgeSource) api.KnowledgeSource {
	return api.KnowledgeSource{
		ID: row.ID, Type: row.Type, FileName: row.FileName, URL: row.URL, ChunkCount: row.ChunkCount,
		CreatedAt: timestamp.New(row.CreatedAt), UpdatedAt: timestamp.New(row.UpdatedAt),
	}
}

// KnowledgeHit converts a search result.
func KnowledgeHit(hit knowledge.Hit) api.KnowledgeSearchResult {
	return api.KnowledgeSearchResult{
		ChunkID: hit.ID, SourceID: hit.SourceID, Snippet: hit.Snippet, Heading: hit.Heading, Page: hit.Page, URL: hit.URL(), Score: hit.Score,
	}
}

// KnowledgeAcceptedType converts a file type that can be uploaded; maxBytes is the size
// limit of a file.
func KnowledgeAcceptedType(one knowledge.AcceptedType, maxBytes int64) api.KnowledgeAcceptedType {
	return api.KnowledgeAcceptedType{ContentType: string(one.Kind), Extension: one.Extension, Description: one.Description, MaxBytes: maxBytes}
}
