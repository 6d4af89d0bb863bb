package spending

import (
	"math/bits"

	"github.com/avelto/convo/internal/domain/agent/model"
)

// Price is what a model costs, in millionths of the currency for a million tokens.
type Price struct {
	Input  int64 `json:"input"`
	Output int64 `json:"output"`
}

// Cost returns what a usage costs, in millionths, rounded up.
func (p Price) Cost(used model.Usage) int64 {
	return perMillion(p.Input, used.InputTokens) + perMillion(p.Output, used.OutputTokens)
}

// perMillion multiplies without an overflow: prices and numbers of tokens are bounded, but
// their product takes more than 64 bits.
func perMillion(price int64, tokens int) int64 {
	const million = 1_000_000
	high, low := bits.Mul64(uint64(max(price, 0)), uint64(max(tokens, 0)))
	low, carry := bits.Add64(low, million-1, 0)
	quotient, _ := bits.Div64(high+carry, low, million)
	return int64(quotient)
}

// perMessage is how many tokens the frame of a message or tool has at most.
const perMessage = 32

// Most returns the highest usage that a request can have. A token is at least a byte.
func Most(request model.Request) model.Usage {
	bytes := 0
	for _, one := range request.Messages {
		bytes += len(one.Content) + len(one.CallID) + perMessage
		for _, call := range one.Calls {
			bytes += len(call.ID) + len(call.Name) + len(call.Arguments) + perMessage
		}
	}
	for _, one := range request.Tools {
		bytes += len(one.Name) + len(one.Description) + len(one.Schema) + perMessage
	}
	return model.Usage{InputTokens: bytes, OutputTokens: request.MaxTokens}
}
