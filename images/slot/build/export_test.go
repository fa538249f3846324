package build

// WriteTree is what [Verity] does, with any hash.
var WriteTree = writeTree
