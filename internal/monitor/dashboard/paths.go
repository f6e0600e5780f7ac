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

func groupPath(id string) string { return groupsPath + url.PathEscape(id) }
func eventPath(id string) string { return eventsPath + "/" + url.PathEscape(id) }

// letterPath is where a dead letter is shown: with its event, or alone.
func letterPath(id, eventID string, withEvent bool) string {
	if withEvent {
		return eventPath(eventID)
	}
	return alonePath(id)
}

func alonePath(id string) string { return lettersPath + "/letters/" + url.PathEscape(id) }

// objectPath is of what all accounts have of an object, or one connected account.
func objectPath(id string, account ...string) string {
	if len(account) == 0 || account[0] == "" {
		return objectsPath + url.PathEscape(id)
	}
	return objectsPath + url.PathEscape(id) + "?account=" + url.QueryEscape(account[0])
}
func taskPath(id string) string { return tasksPath + "/" + url.PathEscape(id) }
