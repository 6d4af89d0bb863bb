// Package representation converts domain values and database rows to what the API shows:
// the same in responses and in events.
package representation

// List converts the rows of a list. The result is never nil, so it encodes as an array.
func List[Row, Item any](rows []Row, convert func(Row) Item) []Item {
	items := make([]Item, len(rows))
	for i, row := range rows {
		items[i] = convert(row)
	}
	return items
}
