package stripe

// ReadStub returns the id of any object and whether the object is a stub:
// {id, object, "deleted": true}, which is all that the API and some tools show
// of a deleted customer, product or price.
func ReadStub(raw []byte) (id string, stub bool, err error) {
	o, err := openObject(raw)
	if err != nil {
		return "", false, err
	}
	id = o.id()
	deleted := o.boolean("deleted")
	return id, deleted != nil && *deleted, o.done()
}
