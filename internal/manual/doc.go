// Package manual shows the manual at /docs: the description of the API, made of the
// OpenAPI document of this very service, and the pages of the folder docs. Nothing of
// it needs JavaScript, and everything is in the binary, so it is the manual of the
// version that runs.
//
// A page is rendered when somebody asks for it first. Links between pages lead to
// pages; what the manual does not have (decisions, examples of deployment) is linked
// at the source.
//
// The type of a problem document, like /docs/errors#not_found, is an address of it.
package manual
