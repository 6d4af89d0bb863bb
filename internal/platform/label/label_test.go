package label_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/label"
)

func TestClean(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, want string
		err        error
	}{
		{"vip", "vip", nil},
		{" \u00a0vip \t", "vip", nil},
		{"Z\u0307o\u0301łw", "Żółw", nil},
		{"two words", "two words", nil},
		{"❤\ufe0f", "❤\ufe0f", nil},
		{"👩\u200d💻", "👩\u200d💻", nil},
		{"👩🏽\u200d💻", "👩🏽\u200d💻", nil},
		{"می\u200cخواهم", "می\u200cخواهم", nil},
		{"", "", label.ErrEmpty},
		{"\u2003\u3000", "", label.ErrEmpty},
		{"v\u200bip", "", label.ErrInvisible},
		{"v\u200dip", "", label.ErrInvisible},
		{"vip\u200d", "", label.ErrInvisible},
		{"\u200cvip", "", label.ErrInvisible},
		{"👩\u200d", "", label.ErrInvisible},
		{"v\u00adip", "", label.ErrInvisible},
		{"\u202evip", "", label.ErrInvisible},
		{"\u2066vip\u2069", "", label.ErrInvisible},
		{"\ufeffvip", "", label.ErrInvisible},
		{"v\u2028ip", "", label.ErrInvisible},
		{"v\x07ip", "", label.ErrInvisible},
		{"v\nip", "", label.ErrInvisible},
		{"\u3164", "", label.ErrInvisible},
		{"\u115f", "", label.ErrInvisible},
		{"\u2800", "", label.ErrInvisible},
		{"\U000e0041", "", label.ErrInvisible},
	} {
		got, err := label.Clean(tt.name)
		require.ErrorIs(t, err, tt.err, "%+q", tt.name)
		require.Equal(t, tt.want, got, "%+q", tt.name)
	}
}

func TestKeyIgnoresCaseAndForm(t *testing.T) {
	t.Parallel()
	for _, same := range [][2]string{
		{"VIP", "vip"},
		{"ŻÓŁW", "żółw"},
		{"STRASSE", "straße"},
		{"ΣΊΣΥΦΟΣ", "σίσυφος"},
		{"Ⅷ", "viii"},
		{"ｖｉｐ", "vip"},
		{"ﬁx", "FIX"},
		{"❤\ufe0f", "❤"},
	} {
		require.Equal(t, label.Key(same[0]), label.Key(same[1]), "%s and %s", same[0], same[1])
	}
	for _, different := range [][2]string{{"vip", "vips"}, {"zolw", "żółw"}, {"a b", "ab"}} {
		require.NotEqual(t, label.Key(different[0]), label.Key(different[1]))
	}
}

func FuzzClean(f *testing.F) {
	for _, seed := range []string{"vip", " ŻÓŁW ", "👩\u200d💻", "a\u200cb", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		clean, err := label.Clean(name)
		if err != nil {
			return
		}
		again, err := label.Clean(clean)
		require.NoError(t, err)
		require.Equal(t, clean, again)
		require.Equal(t, label.Key(clean), label.Key(label.Key(clean)))
	})
}
