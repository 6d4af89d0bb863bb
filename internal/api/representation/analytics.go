package representation

import (
	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/domain/analytics"
	"github.com/avelto/convo/openapi/timestamp"
)

// stages are all stages of the pipeline, in its order.
var stages = []api.LeadStatus{
	api.LeadStatusNEW, api.LeadStatusQUALIFIED, api.LeadStatusCONTACTED, api.LeadStatusWON, api.LeadStatusLOST,
}

// AnalyticsFigures converts the figures of one span.
func AnalyticsFigures(f analytics.Figures) api.AnalyticsFigures {
	return api.AnalyticsFigures{
		ConversationsOpened: f.Opened, ConversationsClosed: f.Closed, ConversationsHandedOff: f.HandedOff,
		LeadsCreated: f.LeadsCreated(), ConversionRate: f.ConversionRate(), MedianFirstOperatorReplySeconds: f.MedianReply,
		LeadsByStage: List(stages, func(status api.LeadStatus) api.LeadStageCount {
			return api.LeadStageCount{Status: status, Count: f.Leads[status]}
		}),
	}
}

// AnalyticsGroups converts groups and their figures, which are in the same order.
func AnalyticsGroups(groups []analytics.Group, figures []analytics.Figures) *[]api.AnalyticsGroup {
	items := make([]api.AnalyticsGroup, len(groups))
	for i, group := range groups {
		items[i] = api.AnalyticsGroup{Key: group.Key, Name: group.Name, Figures: AnalyticsFigures(figures[i])}
	}
	return &items
}

// AnalyticsBucket converts a part of a time series, with the figures of each group if
// grouped.
func AnalyticsBucket(b analytics.Bucket, groups []analytics.Group, grouped bool) api.AnalyticsBucket {
	bucket := api.AnalyticsBucket{Start: timestamp.New(b.From), End: timestamp.New(b.To), Figures: AnalyticsFigures(b.Total)}
	if grouped {
		bucket.Groups = AnalyticsGroups(groups, b.Groups)
	}
	return bucket
}
