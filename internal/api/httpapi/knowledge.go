package httpapi

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/url"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/httpapi/middleware"
	"github.com/avelto/convo/internal/api/problem"
	"github.com/avelto/convo/internal/api/representation"
	"github.com/avelto/convo/internal/api/validation"
	"github.com/avelto/convo/internal/domain/audit"
	"github.com/avelto/convo/internal/domain/knowledge"
	"github.com/avelto/convo/internal/platform/extract"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
)

const (
	defaultDepth   = 1
	defaultResults = 10
	maxFileName    = 255 // characters
)

// knowledgeTag serves the tag Knowledge.
type knowledgeTag struct {
	service *knowledge.Service
	log     *audit.Log
	links   linker
	// maxUpload is the largest file size that the document allows, in bytes.
	maxUpload int64
}

// UploadKnowledge implements api.StrictServerInterface.
func (s *knowledgeTag) UploadKnowledge(ctx context.Context, r api.UploadKnowledgeRequestObject) (api.UploadKnowledgeResponseObject, error) {
	call := middleware.CallFrom(ctx)
	// Checked again in the transaction: this is before the file is stored.
	if err := s.service.CheckJobs(ctx, s.service.DB, middleware.WorkspaceID(ctx), api.KnowledgeTypeUPLOAD); err != nil {
		return nil, err
	}
	media, _, err := mime.ParseMediaType(call.ContentType)
	if err != nil {
		return nil, problem.New(api.ErrorCodeUnsupportedMediaType, "Send the file's media type as Content-Type.").WithCause(err)
	}
	name, err := fileName(r.Params.XOriginalName, extract.Kind(media))
	if err != nil {
		return nil, err
	}
	staged, err := s.service.Stage(ctx, middleware.WorkspaceID(ctx), knowledge.Upload{
		Kind: extract.Kind(media), Name: name, Size: call.ContentLength, Body: r.Body,
	})
	if broken, ok := errors.AsType[*knowledge.BodyError](err); ok {
		return nil, validation.ReadError(broken.Err)
	} else if err != nil {
		return nil, err
	}
	return s.accept(ctx, staged)
}

// accept creates a job for a staged file, and discards the file if the job does not use it.
func (s *knowledgeTag) accept(ctx context.Context, staged *knowledge.Staged) (api.UploadKnowledgeResponseObject, error) {
	used := false
	response, err := middleware.Once(ctx, s.log, api.UploadKnowledgeResponseObject.VisitUploadKnowledgeResponse, func(ctx context.Context, on postgres.Conn) (api.UploadKnowledgeResponseObject, error) {
		job, err := s.service.Accept(ctx, on, staged)
		if err != nil {
			return nil, err
		}
		used = staged.Used(job)
		return api.UploadKnowledge202JSONResponse{
			Body: representation.KnowledgeJob(job), Headers: api.UploadKnowledge202ResponseHeaders{Location: jobLocation(job.ID)},
		}, nil
	})
	if err != nil || !used {
		s.service.Discard(ctx, staged)
	}
	return response, err
}

// fileName returns the name of an uploaded file.
func fileName(header *string, kind extract.Kind) (string, error) {
	if header == nil {
		for _, accepted := range knowledge.AcceptedTypes {
			if accepted.Kind == kind {
				return "upload" + accepted.Extension, nil
			}
		}
		return "upload", nil
	}
	return originalName(*header, maxFileName)
}

// originalName returns the last path element of X-Original-Name, which is percent-encoded
// UTF-8.
func originalName(header string, maxLength int) (string, error) {
	name, err := url.PathUnescape(header)
	if err != nil || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", problem.Invalid(api.FieldError{Location: "header.X-Original-Name", Message: "must be percent-encoded UTF-8 without control characters"})
	}
	name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	if name == "." || name == "/" || name == ".." || utf8.RuneCountInString(name) > maxLength {
		return "", problem.Invalid(api.FieldError{Location: "header.X-Original-Name", Message: fmt.Sprintf("must name a file in at most %d characters", maxLength)})
	}
	return name, nil
}

func jobLocation(jobID uuid.UUID) *string { return location("/knowledge/jobs", jobID) }

// CrawlKnowledge implements api.StrictServerInterface.
func (s *knowledgeTag) CrawlKnowledge(ctx context.Context, r api.CrawlKnowledgeRequestObject) (api.CrawlKnowledgeResponseObject, error) {
	depth := int32(defaultDepth)
	if r.Body.Depth != nil {
		depth = *r.Body.Depth
	}
	return middleware.Once(ctx, s.log, api.CrawlKnowledgeResponseObject.VisitCrawlKnowledgeResponse, func(ctx context.Context, on postgres.Conn) (api.CrawlKnowledgeResponseObject, error) {
		job, err := s.service.Crawl(ctx, on, middleware.WorkspaceID(ctx), r.Body.URL, depth)
		if err != nil {
			return nil, err
		}
		return api.CrawlKnowledge202JSONResponse{
			Body: representation.KnowledgeJob(job), Headers: api.CrawlKnowledge202ResponseHeaders{Location: jobLocation(job.ID)},
		}, nil
	})
}

// ListKnowledgeJobs implements api.StrictServerInterface.
func (s *knowledgeTag) ListKnowledgeJobs(ctx context.Context, r api.ListKnowledgeJobsRequestObject) (api.ListKnowledgeJobsResponseObject, error) {
	rows, err := s.service.ListJobs(ctx, middleware.WorkspaceID(ctx), page.Request(r.Params))
	if err != nil {
		return nil, err
	}
	return api.ListKnowledgeJobs200JSONResponse{
		Body:    representation.List(rows.Rows, representation.KnowledgeJob),
		Headers: api.ListKnowledgeJobs200ResponseHeaders{Link: s.links.next(ctx, rows.Next), XNextCursor: rows.Next},
	}, nil
}

// GetKnowledgeJob implements api.StrictServerInterface.
func (s *knowledgeTag) GetKnowledgeJob(ctx context.Context, r api.GetKnowledgeJobRequestObject) (api.GetKnowledgeJobResponseObject, error) {
	job, err := s.service.Job(ctx, middleware.WorkspaceID(ctx), r.ID)
	if err != nil {
		return nil, err
	}
	return api.GetKnowledgeJob200JSONResponse(representation.KnowledgeJob(job)), nil
}

// CancelKnowledgeJob implements api.StrictServerInterface.
func (s *knowledgeTag) CancelKnowledgeJob(ctx context.Context, r api.CancelKnowledgeJobRequestObject) (api.CancelKnowledgeJobResponseObject, error) {
	return middleware.Once(ctx, s.log, api.CancelKnowledgeJobResponseObject.VisitCancelKnowledgeJobResponse, func(ctx context.Context, on postgres.Conn) (api.CancelKnowledgeJobResponseObject, error) {
		job, err := s.service.Cancel(ctx, on, middleware.WorkspaceID(ctx), r.ID)
		if err != nil {
			return nil, err
		}
		return api.CancelKnowledgeJob200JSONResponse(representation.KnowledgeJob(job)), nil
	})
}

// ListKnowledgeSources implements api.StrictServerInterface.
func (s *knowledgeTag) ListKnowledgeSources(ctx context.Context, r api.ListKnowledgeSourcesRequestObject) (api.ListKnowledgeSourcesResponseObject, error) {
	rows, err := s.service.ListSources(ctx, middleware.WorkspaceID(ctx), page.Request(r.Params))
	if err != nil {
		return nil, err
	}
	return api.ListKnowledgeSources200JSONResponse{
		Body:    representation.List(rows.Rows, representation.KnowledgeSource),
		Headers: api.ListKnowledgeSources200ResponseHeaders{Link: s.links.next(ctx, rows.Next), XNextCursor: rows.Next},
	}, nil
}

// DeleteKnowledgeSource implements api.StrictServerInterface.
func (s *knowledgeTag) DeleteKnowledgeSource(ctx context.Context, r api.DeleteKnowledgeSourceRequestObject) (api.DeleteKnowledgeSourceResponseObject, error) {
	return middleware.Once(ctx, s.log, api.DeleteKnowledgeSourceResponseObject.VisitDeleteKnowledgeSourceResponse, func(ctx context.Context, on postgres.Conn) (api.DeleteKnowledgeSourceResponseObject, error) {
		if err := s.service.DeleteSource(ctx, on, middleware.WorkspaceID(ctx), r.ID); err != nil {
			return nil, err
		}
		return api.DeleteKnowledgeSource204Response{}, nil
	})
}

// RefreshKnowledgeSource implements api.StrictServerInterface.
func (s *knowledgeTag) RefreshKnowledgeSource(ctx context.Context, r api.RefreshKnowledgeSourceRequestObject) (api.RefreshKnowledgeSourceResponseObject, error) {
	return middleware.Once(ctx, s.log, api.RefreshKnowledgeSourceResponseObject.VisitRefreshKnowledgeSourceResponse, func(ctx context.Context, on postgres.Conn) (api.RefreshKnowledgeSourceResponseObject, error) {
		job, err := s.service.Refresh(ctx, on, middleware.WorkspaceID(ctx), r.ID)
		if err != nil {
			return nil, err
		}
		return api.RefreshKnowledgeSource202JSONResponse{
			Body: representation.KnowledgeJob(job), Headers: api.RefreshKnowledgeSource202ResponseHeaders{Location: jobLocation(job.ID)},
		}, nil
	})
}

// ListAcceptedTypes implements api.StrictServerInterface.
func (s *knowledgeTag) ListAcceptedTypes(_ context.Context, _ api.ListAcceptedTypesRequestObject) (api.ListAcceptedTypesResponseObject, error) {
	return api.ListAcceptedTypes200JSONResponse(representation.List(knowledge.AcceptedTypes, func(one knowledge.AcceptedType) api.KnowledgeAcceptedType {
		return representation.KnowledgeAcceptedType(one, s.maxUpload)
	})), nil
}

// SearchKnowledge implements api.StrictServerInterface.
func (s *knowledgeTag) SearchKnowledge(ctx context.Context, r api.SearchKnowledgeRequestObject) (api.SearchKnowledgeResponseObject, error) {
	query := knowledge.Query{Text: r.Body.Query, Limit: defaultResults}
	if r.Body.Limit != nil {
		query.Limit = *r.Body.Limit
	}
	if r.Body.SourceIds != nil {
		query.SourceIDs = *r.Body.SourceIds
	}
	hits, err := s.service.Search(ctx, middleware.WorkspaceID(ctx), query)
	if err != nil {
		return nil, err
	}
	return api.SearchKnowledge200JSONResponse(representation.List(hits, representation.KnowledgeHit)), nil
}
