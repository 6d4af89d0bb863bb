package httpapi

import (
	"github.com/oapi-codegen/nullable"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/domain/lead"
)

// each converts the rows of a list; an empty list stays one.
func each[Row, Item any](rows []Row, convert func(Row) Item) []Item {
	items := make([]Item, len(rows))
	for i, row := range rows {
		items[i] = convert(row)
	}
	return items
}

func fromAPILeadUpdate(in api.LeadUpdate) lead.Change {
	var change lead.Change
	if in.Fields != nil {
		change.Fields = *in.Fields
	}
	if in.Score.IsSpecified() {
		change.Score = func() *int16 { return fromAPIScore(in.Score) }
	}
	if in.CrmExternalID.IsSpecified() {
		change.CRMExternalID = func() *string { return orNil(in.CrmExternalID) }
	}
	return change
}

func fromAPIScore(score nullable.Nullable[int32]) *int16 {
	wide := orNil(score)
	if wide == nil {
		return nil
	}
	narrow := int16(*wide)
	return &narrow
}

func orNil[T any](value nullable.Nullable[T]) *T {
	given, err := value.Get()
	if err != nil {
		return nil // null, or left out
	}
	return &given
}
