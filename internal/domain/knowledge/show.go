package knowledge

import (
	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/openapi/timestamp"
)

// Show is a job as the API shows it, in answers and in events.
func Show(job Job) api.KnowledgeJob {
	shown := api.KnowledgeJob{
		ID: job.ID, Type: job.Type, Status: job.Status, SourceID: job.SourceID,
		FileName: job.FileName, URL: job.URL, CreatedAt: timestamp.New(job.CreatedAt),
		StartedAt: timestamp.NewPtr(job.StartedAt), FinishedAt: timestamp.NewPtr(job.FinishedAt),
		Progress: api.KnowledgeJobProgress{
			PagesFound: int32(job.Found), PagesDone: int32(job.Done), PagesSkipped: int32(job.Skipped), PagesFailed: int32(job.Failed),
			Failures: make([]api.KnowledgePageFailure, len(job.Failures)),
		},
	}
	for i, one := range job.Failures {
		shown.Progress.Failures[i] = api.KnowledgePageFailure{URL: one.URL}
		if one.Reason != nil {
			shown.Progress.Failures[i].Reason = *one.Reason
		}
	}
	if job.ErrorCode != nil && job.ErrorMessage != nil {
		shown.Error = &api.KnowledgeJobError{Code: *job.ErrorCode, Message: *job.ErrorMessage}
	}
	return shown
}
