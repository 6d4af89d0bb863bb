package demo

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/api"
)

// size holds how many rows of each kind to generate.
type size struct {
	agents, operators, tags int
	integrations            []api.IntegrationType
	channelTypes            []api.ChannelType
	conversations           int
	leadsEachStage          int // half of them scored
}

var (
	plentiful = size{
		agents: 3, operators: 3, tags: 4, conversations: 36, leadsEachStage: 6,
		integrations: []api.IntegrationType{api.IntegrationTypeCRM, api.IntegrationTypeCALENDAR},
		channelTypes: []api.ChannelType{
			api.ChannelTypeWEBSITE, api.ChannelTypeTELEGRAM, api.ChannelTypeWHATSAPP, api.ChannelTypeMESSENGER, api.ChannelTypeVIBER,
			api.ChannelTypeEMAIL, api.ChannelTypeSLACK, api.ChannelTypeDISCORD, api.ChannelTypeSMS, api.ChannelTypeVOICE,
		},
	}
	modest = size{
		agents: 1, operators: 1, tags: 1, conversations: 3, leadsEachStage: 2,
		channelTypes: []api.ChannelType{api.ChannelTypeWEBSITE},
	}

	agentNames    = []string{"Sales agent", "Support agent", "Returns agent"}
	agentStatuses = []api.AgentStatus{api.AgentStatusPUBLISHED, api.AgentStatusDRAFT, api.AgentStatusARCHIVED}
	operatorNames = []string{"Ola Kowalska", "Marek Zieliński", "June Park"}
	tagNames      = []string{"vip", "wholesale", "returns", "urgent"}
	firstNames    = []string{"Anna", "Piotr", "Maria", "Tomasz", "Zofia", "Jan", "Ewa", "Adam", "Lena", "Oskar"}
	lastNames     = []string{"Nowak", "Wójcik", "Lewandowska", "Kamiński", "Dąbrowska", "Mazur", "Krawczyk", "Piotrowska"}
	questions     = []string{
		"Do you have these shoes in 39?", "When will my order arrive?", "Can I return a pair that I wore once?",
		"Is there a discount for ten pairs?", "Which size do I need for a foot of 26 cm?",
	}
	answers = []string{
		"Yes, in black and in brown.", "It left our warehouse this morning.", "Within 30 days, if they are clean.",
		"From ten pairs on it is 12 percent.", "That is a 41 with us.",
	}
	replies = []string{"Hi, this is a human. Let me look into it.", "I have put a pair aside for you.", "Your refund is on its way."}
)

func (s *story) workspace(slug, name string, of size) *cast {
	workspaceID, now := s.ids.New()
	s.row("workspaces", []string{"id", "slug", "name", "created_at"}, workspaceID, slug, name, now)
	c := &cast{workspaceID: workspaceID, types: map[uuid.UUID]api.ChannelType{}}
	s.people(c, of)
	s.channels(c, of)
	for i := range of.conversations {
		s.later(600)
		s.conversation(c, i)
	}
	for _, stage := range []api.LeadStatus{
		api.LeadStatusNEW, api.LeadStatusQUALIFIED, api.LeadStatusCONTACTED, api.LeadStatusWON, api.LeadStatusLOST,
	} {
		for i := range of.leadsEachStage {
			s.later(240)
			s.lead(c, stage, i%2 == 0)
		}
	}
	for _, kind := range of.integrations {
		s.integration(c, kind)
	}
	return c
}

func (s *story) integration(c *cast, kind api.IntegrationType) {
	integrationID, now := s.ids.New()
	s.row("integrations", []string{"workspace_id", "id", "type", "events", "status", "created_at", "updated_at"},
		c.workspaceID, integrationID, string(kind), []string{}, api.IntegrationStatusCONNECTED, now, now)
}

func (s *story) people(c *cast, of size) {
	for i := range of.agents {
		agentID, now := s.ids.New()
		c.agents = append(c.agents, agentID)
		s.agent(c, agentID, agentNames[i], agentStatuses[i], "You help visitors of a shoe shop. Be brief and kind.", now)
	}
	for i := range of.operators {
		operatorID, now := s.ids.New()
		c.operators = append(c.operators, operatorID)
		s.row("operators", []string{"workspace_id", "id", "name", "created_at"}, c.workspaceID, operatorID, operatorNames[i], now)
	}
	for i := range of.tags {
		tagID, now := s.ids.New()
		c.tags = append(c.tags, tagID)
		s.row("tags", []string{"workspace_id", "id", "name", "created_at"}, c.workspaceID, tagID, tagNames[i], now)
	}
}

// agent adds an agent, with a version if it is published.
func (s *story) agent(c *cast, agentID uuid.UUID, name string, status api.AgentStatus, prompt string, at time.Time) {
	var version *int
	if status == api.AgentStatusPUBLISHED {
		version = new(1)
	}
	s.row("agents", []string{
		"workspace_id", "id", "name", "status", "system_prompt", "model_provider", "model_name",
		"temperature", "max_tokens", "created_at", "updated_at", "published_version", "unpublished_changes",
	}, c.workspaceID, agentID, name, string(status), prompt, "builtin", "extractive", 0.4, 1024, at, at, version, version == nil)
	if version != nil {
		s.row("agent_versions", []string{
			"workspace_id", "agent_id", "number", "system_prompt", "model_provider", "model_name", "temperature", "max_tokens", "created_at",
		}, c.workspaceID, agentID, *version, prompt, "builtin", "extractive", 0.4, 1024, at)
	}
}

func (s *story) channels(c *cast, of size) {
	for i, kind := range of.channelTypes {
		channelID, now := s.ids.New()
		c.channels = append(c.channels, channelID)
		c.types[channelID] = kind
		if kind != api.ChannelTypeWHATSAPP && kind != api.ChannelTypeMESSENGER {
			c.repliable = append(c.repliable, channelID)
		}
		name := string(kind[:1]) + strings.ToLower(string(kind[1:])) + " of the shop"
		s.row("channels", []string{"workspace_id", "id", "type", "name", "agent_id", "config", "created_at", "updated_at"},
			c.workspaceID, channelID, string(kind), name, c.agents[i%len(c.agents)], cmp.Or(channelConfigs[kind], "{}"), now, now)
	}
}

// channelConfigs are settings of channel types that need some, as the API documents them.
var channelConfigs = map[api.ChannelType]string{
	api.ChannelTypeEMAIL:     `{"fromAddress":"shop@example.com","inbound":"mailgun","smtp":{"host":"smtp.example.com","port":465,"security":"tls"}}`,
	api.ChannelTypeWHATSAPP:  `{"phoneNumberId":"106540352242922"}`,
	api.ChannelTypeMESSENGER: `{"pageId":"109876543210987"}`,
	api.ChannelTypeDISCORD:   `{"publicKey":"` + strings.Repeat("0f", 32) + `"}`,
	api.ChannelTypeSMS:       `{"accountSid":"AC` + strings.Repeat("0f", 16) + `","from":"+48123456789"}`,
	api.ChannelTypeVOICE:     `{"accountSid":"AC` + strings.Repeat("0f", 16) + `","from":"+48123456789"}`,
}

func (s *story) contact(c *cast) (contactID uuid.UUID, name, email, phone string) {
	contactID, now := s.ids.New()
	first, last := pick(s, firstNames), pick(s, lastNames)
	name, phone = first+" "+last, fmt.Sprintf("+48 %03d %03d %03d", 500+s.random.IntN(300), s.random.IntN(1000), s.random.IntN(1000))
	email = fmt.Sprintf("%s.%d@example.com", strings.ToLower(first), s.random.IntN(1000))
	s.row("contacts", []string{"workspace_id", "id", "name", "email", "phone", "created_at", "updated_at"},
		c.workspaceID, contactID, name, email, phone, now, now)
	return contactID, name, email, phone
}

func (s *story) lead(c *cast, stage api.LeadStatus, scored bool) {
	leadID, now := s.ids.New()
	first, last := pick(s, firstNames), pick(s, lastNames)
	var score *int16
	if scored {
		value := int16(s.random.IntN(101))
		score = &value
	}
	s.row("leads", leadColumns, c.workspaceID, leadID, string(stage),
		fields(first+" "+last, fmt.Sprintf("%s.%d@example.com", strings.ToLower(first), s.random.IntN(1000)), "+48 600 100 200"),
		score, "external-form", nil, nil, now, now)
}

var leadColumns = []string{
	"workspace_id", "id", "status", "fields", "score", "source", "conversation_id", "crm_external_id", "created_at", "updated_at",
}
