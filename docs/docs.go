// Package docs holds the manual, which the service shows at /docs.
package docs

import "embed"

// Files are the pages, in Markdown.
//
//go:embed *.md
var Files embed.FS
