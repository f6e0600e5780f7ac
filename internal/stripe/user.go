package stripe

import (
	"strings"

	"github.com/quotekit/quotekit"
)

// userKeys are the metadata keys that may hold the application's user, best first.
var userKeys = [...]string{"user_id", "userId", "supabase_user_id"}

// UserID returns s in lower case if it is a UUID in the canonical form
// 8-4-4-4-12, and "" otherwise: nothing else names a user of the application.
func UserID(s string) string {
	if len(s) != 36 {
		return ""
	}
	for i := range len(s) {
		switch i {
		case 8, 13, 18, 23:
			if s[i] != '-' {
				return ""
			}
		default:
			if !areHex(s[i : i+1]) {
				return ""
			}
		}
	}
	return strings.ToLower(s)
}

// MetadataUserID returns the user that metadata names: the value of user_id,
// userId or supabase_user_id, the first of them that is a UUID, or "".
func MetadataUserID(metadata quotekit.JSON) string {
	if len(metadata) < 36 {
		return ""
	}
	hash, err := parse(string(metadata))
	if err != nil {
		return ""
	}
	defer hash.release()
	for _, key := range userKeys {
		if id := UserID(hash.get(key).str()); id != "" {
			return id
		}
	}
	return ""
}
