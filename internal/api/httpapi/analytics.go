package httpapi

import (
	"context"
	"time"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/httpapi/middleware"
	"github.com/avelto/convo/internal/api/representation"
	"github.com/avelto/convo/internal/domain/analytics"
	"github.com/avelto/convo/openapi/timestamp"
)

// analyticsTag serves the tag Analytics.
type analyticsTag struct{ service *analytics.Service }

// GetAnalyticsOverview implements api.StrictServerInterface.
func (s *analyticsTag) GetAnalyticsOverview(ctx context.Context, r api.GetAnalyticsOverviewRequestObject) (api.GetAnalyticsOverviewResponseObject, error) {
	span, err := s.service.NewSpan(moment(r.Params.From), moment(r.Params.To))
	if err != nil {
		return nil, err
	}
	result, err := s.service.Overview(ctx, middleware.WorkspaceID(ctx), span, r.Params.GroupBy)
	if err != nil {
		return nil, err
	}
	overview := api.GetAnalyticsOverview200JSONResponse{
		From: timestamp.New(span.From), To: timestamp.New(span.To), Figures: representation.AnalyticsFigures(result.Buckets[0].Total),
	}
	if r.Params.GroupBy != nil {
		overview.Groups = representation.AnalyticsGroups(result.Groups, result.Buckets[0].Groups)
	}
	return overview, nil
}

// GetAnalyticsTimeseries implements api.StrictServerInterface.
func (s *analyticsTag) GetAnalyticsTimeseries(ctx context.Context, r api.GetAnalyticsTimeseriesRequestObject) (api.GetAnalyticsTimeseriesResponseObject, error) {
	span, err := s.service.NewSpan(moment(r.Params.From), moment(r.Params.To))
	if err != nil {
		return nil, err
	}
	width := api.AnalyticsGranularityDay
	if r.Params.Granularity != nil {
		width = *r.Params.Granularity
	}
	result, err := s.service.Timeseries(ctx, middleware.WorkspaceID(ctx), span, width, r.Params.GroupBy)
	if err != nil {
		return nil, err
	}
	return api.GetAnalyticsTimeseries200JSONResponse{
		From: timestamp.New(span.From), To: timestamp.New(span.To), Granularity: width,
		Buckets: representation.List(result.Buckets, func(b analytics.Bucket) api.AnalyticsBucket {
			return representation.AnalyticsBucket(b, result.Groups, r.Params.GroupBy != nil)
		}),
	}, nil
}

// GetAgentAnalytics implements api.StrictServerInterface.
func (s *analyticsTag) GetAgentAnalytics(ctx context.Context, r api.GetAgentAnalyticsRequestObject) (api.GetAgentAnalyticsResponseObject, error) {
	span, err := s.service.NewSpan(moment(r.Params.From), moment(r.Params.To))
	if err != nil {
		return nil, err
	}
	width := api.AnalyticsGranularityDay
	if r.Params.Granularity != nil {
		width = *r.Params.Granularity
	}
	result, err := s.service.Agents(ctx, middleware.WorkspaceID(ctx), span, width)
	if err != nil {
		return nil, err
	}
	return api.GetAgentAnalytics200JSONResponse(representation.AgentAnalytics(result)), nil
}

func moment(given *timestamp.Time) *time.Time {
	if given == nil {
		return nil
	}
	return &given.Time
}
