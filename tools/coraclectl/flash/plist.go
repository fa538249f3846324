package flash

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// parsePlist reads the top dictionary of an XML property list, as macOS's diskutil writes it: keys whose values are
// strings, numbers or booleans. Others are left out.
func parsePlist(r io.Reader) (map[string]string, error) {
	d := xml.NewDecoder(r)
	values := map[string]string{}
	depth, key := 0, ""
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return values, nil
		}
		if err != nil {
			return nil, fmt.Errorf("property list: %w", err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			depth++
			if depth != 3 { // plist, dict, and what is in it
				continue
			}
			name := t.Name.Local
			switch name {
			case "true", "false":
				values[key] = name
			case "key", "string", "integer":
				var text string
				if err := d.DecodeElement(&text, &t); err != nil {
					return nil, fmt.Errorf("property list: %w", err)
				}
				depth--
				if name == "key" {
					key = text
				} else {
					values[key] = strings.TrimSpace(text)
				}
			}
		case xml.EndElement:
			depth--
		}
	}
}
