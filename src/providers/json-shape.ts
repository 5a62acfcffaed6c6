const [quote, comma, backslash] = [0x22, 0x2c, 0x5c]
const [openList, closeList, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d]

/** How many values a JSON text holds and how deep they are nested, without building them. The text must be valid. */
export function shapeOf(json: string): { values: number; depth: number } {
  let [values, depth, deepest, inString] = [1, 0, 0, false]
  for (let at = 0; at < json.length; at++) {
    const char = json.charCodeAt(at)
    if (inString) {
      if (char === backslash) at++
      else if (char === quote) inString = false
    } else if (char === quote) inString = true
    else if (char === comma) values++
    else if (char === openList || char === openObject) {
      values++
      depth++
      if (depth > deepest) deepest = depth
    } else if (char === closeList || char === closeObject) depth--
  }
  return { values, depth: deepest }
}
