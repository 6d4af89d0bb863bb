package analytics

import (
	"math"
	"slices"
)

// growth is the ratio of the limits of a histogram bucket, as in reply_bucket.
const growth = 1.05

// median returns the median of a histogram of reply times in seconds, nil if it is empty. It is
// accurate to 2.5%: each reply is taken to be in the middle of its bucket.
func median(buckets []int16, counts []int64) *float64 {
	if len(buckets) == 0 {
		return nil
	}
	histogram := make([]int64, slices.Max(buckets)+1)
	var all int64
	for i, bucket := range buckets {
		histogram[bucket] += counts[i]
		all += counts[i]
	}
	if all <= 0 {
		return nil
	}
	middle := (replyAt(histogram, (all-1)/2) + replyAt(histogram, all/2)) / 2
	return &middle
}

// replyAt returns the reply time at a rank, which begins at 0.
func replyAt(histogram []int64, rank int64) float64 {
	for bucket, count := range histogram {
		if rank -= count; rank < 0 {
			return middleOf(bucket)
		}
	}
	return middleOf(len(histogram) - 1) // unreachable: the rank is below the sum of the counts
}

// middleOf returns the geometric middle of a bucket in seconds.
func middleOf(bucket int) float64 {
	if bucket == 0 {
		return 0
	}
	milliseconds := math.Pow(growth, float64(bucket)-0.5)
	return math.Round(milliseconds) / 1000
}
