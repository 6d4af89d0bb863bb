package httpapi

import (
	"context"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/apierr"
)

// knowledge serves the tag Knowledge, whose engine this release does not have yet.
type knowledge struct{}

// UploadKnowledge implements api.StrictServerInterface.
func (*knowledge) UploadKnowledge(context.Context, api.UploadKnowledgeRequestObject) (api.UploadKnowledgeResponseObject, error) {
	return nil, errNotImplemented()
}

// CrawlKnowledge implements api.StrictServerInterface.
func (*knowledge) CrawlKnowledge(context.Context, api.CrawlKnowledgeRequestObject) (api.CrawlKnowledgeResponseObject, error) {
	return nil, errNotImplemented()
}

// ListKnowledgeJobs implements api.StrictServerInterface.
func (*knowledge) ListKnowledgeJobs(context.Context, api.ListKnowledgeJobsRequestObject) (api.ListKnowledgeJobsResponseObject, error) {
	return nil, errNotImplemented()
}

// GetKnowledgeJob implements api.StrictServerInterface.
func (*knowledge) GetKnowledgeJob(context.Context, api.GetKnowledgeJobRequestObject) (api.GetKnowledgeJobResponseObject, error) {
	return nil, errNotImplemented()
}

// CancelKnowledgeJob implements api.StrictServerInterface.
func (*knowledge) CancelKnowledgeJob(context.Context, api.CancelKnowledgeJobRequestObject) (api.CancelKnowledgeJobResponseObject, error) {
	return nil, errNotImplemented()
}

// ListKnowledgeSources implements api.StrictServerInterface.
func (*knowledge) ListKnowledgeSources(context.Context, api.ListKnowledgeSourcesRequestObject) (api.ListKnowledgeSourcesResponseObject, error) {
	return nil, errNotImplemented()
}

// DeleteKnowledgeSource implements api.StrictServerInterface.
func (*knowledge) DeleteKnowledgeSource(context.Context, api.DeleteKnowledgeSourceRequestObject) (api.DeleteKnowledgeSourceResponseObject, error) {
	return nil, errNotImplemented()
}

// SearchKnowledge implements api.StrictServerInterface.
func (*knowledge) SearchKnowledge(context.Context, api.SearchKnowledgeRequestObject) (api.SearchKnowledgeResponseObject, error) {
	return nil, errNotImplemented()
}

func errNotImplemented() error {
	return apierr.New(api.ErrorCodeNotImplemented, "This release does not serve this operation yet.")
}
