package dashboard

import "net/url"

// Where the pages are that others lead to.
const (
	lettersPath = Path + "/dead-letter-queue"
	groupsPath  = lettersPath + "/groups/"
	eventsPath  = Path + "/events"
	objectsPath = Path + "/objects/"
	tasksPath   = Path + "/tasks"
)

func groupPath(id string) string  { return groupsPath + url.PathEscape(id) }
func eventPath(id string) string  { return eventsPath + "/" + url.PathEscape(id) }
func objectPath(id string) string { return objectsPath + url.PathEscape(id) }
func taskPath(id string) string   { return tasksPath + "/" + url.PathEscape(id) }
