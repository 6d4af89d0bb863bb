package analytics

import (
	"math"
	"slices"
)

// growth is the ratio of the limits of a histogram bucket, as in reply_bucket.
const growth = 1.05

// median returns the median of a histogram of times in seconds, nil if it is empty. It is
// accurate to 2.5%: each time is taken to be in the middle of its bucket.
func median(buckets []int16, counts []int64) *float64 {
	histogram, all := add(buckets, counts)
	if all <= 0 {
		return nil
	}
	middle := (replyAt(histogram, (all-1)/2) + replyAt(histogram, all/2)) / 2
	return &middle
}

// quantile returns the time that a part of all times do not exceed, as accurately as median.
func quantile(buckets []int16, counts []int64, part float64) *float64 {
	histogram, all := add(buckets, counts)
	if all <= 0 {
		return nil
	}
	return new(replyAt(histogram, int64(math.Ceil(part*float64(all)))-1))
}

// add returns a histogram with the sums of counts whose buckets may repeat, and the sum of all.
func add(buckets []int16, counts []int64) (histogram []int64, all int64) {
	if len(buckets) == 0 {
		return nil, 0
	}
	histogram = make([]int64, slices.Max(buckets)+1)
	for i, bucket := range buckets {
		histogram[bucket] += counts[i]
		all += counts[i]
	}
	return histogram, all
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
