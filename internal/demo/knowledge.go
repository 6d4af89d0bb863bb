package demo

import (
	"context"
	"fmt"
	"math"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/knowledge"
	"github.com/avelto/convo/internal/platform/blob"
	"github.com/avelto/convo/internal/platform/extract"
	"github.com/avelto/convo/internal/platform/postgres"
)

// help are the texts that the agents of the demo reply from.
var help = map[string][]extract.Section{
	"help.md": {
		{Heading: "Returns and refunds", Text: "You may return shoes within 30 days of delivery if they are clean and in their box. " +
			"Print the return label from your order page and drop the parcel at any parcel point. We refund you within 5 working days after the parcel has arrived."},
		{Heading: "Delivery", Text: "We deliver to all countries of the European Union, to Norway and to Switzerland. " +
			"Delivery takes 2 working days within Poland and 4 to 6 working days elsewhere. Delivery is free for orders over 60 euros and costs 5 euros otherwise."},
		{Heading: "Sizes", Text: "Our shoes come in European sizes 36 to 47. For a foot of 26 cm you need size 41. " +
			"If you are between two sizes, choose the larger one. You may exchange a pair for another size once for free."},
		{Heading: "Wholesale discount", Text: "From ten pairs on, the discount is 12 percent, and from fifty pairs on it is 20 percent. " +
			"Wholesale customers may pay by invoice within 14 days."},
		{Heading: "Payment", Text: "You can pay by credit card, by BLIK, by bank transfer and with PayPal. We charge your card when the parcel leaves our warehouse."},
		{Heading: "Warranty", Text: "All shoes have a warranty of two years. Soles that come off and broken seams are repaired or replaced for free."},
	},
	"pomoc.md": {
		{Heading: "Zwroty", Text: "Buty można zwrócić w ciągu 30 dni od dostawy, jeśli są czyste i w oryginalnym pudełku. " +
			"Etykietę zwrotną znajdziesz na stronie zamówienia. Pieniądze zwracamy w ciągu 5 dni roboczych od otrzymania paczki."},
		{Heading: "Dostawa", Text: "Dostawa w Polsce trwa 2 dni robocze, a do innych krajów Unii Europejskiej od 4 do 6 dni roboczych. " +
			"Dostawa jest bezpłatna przy zamówieniach powyżej 250 złotych, a w pozostałych przypadkach kosztuje 20 złotych."},
		{Heading: "Gwarancja", Text: "Na wszystkie buty udzielamy dwuletniej gwarancji. Odklejone podeszwy i pęknięte szwy naprawiamy lub wymieniamy bezpłatnie."},
	},
}

// knowledge stores the texts of the agents.
func (s *story) knowledge(ctx context.Context, tx postgres.Tx, c *cast) error {
	for _, name := range []string{"help.md", "pomoc.md"} {
		sourceID, _ := s.ids.New()
		if err := knowledge.Load(ctx, tx, s.ids, c.workspaceID, knowledge.Loaded{SourceID: sourceID, FileName: name, Sections: help[name]}); err != nil {
			return err
		}
	}
	return nil
}

// StoreFiles stores the files of the demo data that was loaded, so that they can be refreshed.
func StoreFiles(ctx context.Context, on *postgres.DB, files blob.Store) error {
	space, err := db.New().SystemWorkspaceBySlug(ctx, on, db.SystemWorkspaceBySlugParams{Slug: Slug})
	if err != nil {
		return fmt.Errorf("find the workspace: %w", err)
	}
	sources, err := db.New().KnowledgeSourceList(ctx, on, db.KnowledgeSourceListParams{WorkspaceID: space.ID, BeforeID: uuid.Max, RowLimit: math.MaxInt32})
	if err != nil {
		return fmt.Errorf("list sources: %w", err)
	}
	for _, source := range sources {
		if source.FileName == nil || help[*source.FileName] == nil {
			continue
		}
		err := knowledge.StoreFile(ctx, files, space.ID, knowledge.Loaded{SourceID: source.ID, Sections: help[*source.FileName]})
		if err != nil {
			return err
		}
	}
	return nil
}
