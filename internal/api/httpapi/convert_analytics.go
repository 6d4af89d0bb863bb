package httpapi

import (
	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/domain/analytics"
)

func toAPIFigures(f analytics.Figures) api.AnalyticsFigures {
	return api.AnalyticsFigures{
		ConversationsOpened: f.Opened, ConversationsClosed: f.Closed, ConversationsHandedOff: f.HandedOff,
		LeadsCreated: f.LeadsCreated(), ConversionRate: f.ConversionRate(), MedianFirstOperatorReplySeconds: f.MedianReply,
		LeadsByStage: api.LeadStageCounts{
			NEW: f.Leads[api.LeadStatusNEW], QUALIFIED: f.Leads[api.LeadStatusQUALIFIED],
			CONTACTED: f.Leads[api.LeadStatusCONTACTED], WON: f.Leads[api.LeadStatusWON], LOST: f.Leads[api.LeadStatusLOST],
		},
	}
}

func toAPIGroups(groups []analytics.Group, all []analytics.Figures) *[]api.AnalyticsGroup {
	items := make([]api.AnalyticsGroup, len(groups))
	for i, group := range groups {
		items[i] = api.AnalyticsGroup{Key: group.Key, Name: group.Name, Figures: toAPIFigures(all[i])}
	}
	return &items
}
