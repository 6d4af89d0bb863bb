package httpapi

import (
	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/domain/analytics"
)

// stages are all stages of the pipeline, in its order.
var stages = []api.LeadStatus{
	api.LeadStatusNEW, api.LeadStatusQUALIFIED, api.LeadStatusCONTACTED, api.LeadStatusWON, api.LeadStatusLOST,
}

func toAPIFigures(f analytics.Figures) api.AnalyticsFigures {
	return api.AnalyticsFigures{
		ConversationsOpened: f.Opened, ConversationsClosed: f.Closed, ConversationsHandedOff: f.HandedOff,
		LeadsCreated: f.LeadsCreated(), ConversionRate: f.ConversionRate(), MedianFirstOperatorReplySeconds: f.MedianReply,
		LeadsByStage: each(stages, func(status api.LeadStatus) api.LeadStageCount {
			return api.LeadStageCount{Status: status, Count: f.Leads[status]}
		}),
	}
}

func toAPIGroups(groups []analytics.Group, all []analytics.Figures) *[]api.AnalyticsGroup {
	items := make([]api.AnalyticsGroup, len(groups))
	for i, group := range groups {
		items[i] = api.AnalyticsGroup{Key: group.Key, Name: group.Name, Figures: toAPIFigures(all[i])}
	}
	return &items
}
