const most = 8

/** The parts as a list of texts, each once, at most eight; the question itself when there is none. */
export default function plan({ question, parts }) {
  const texts = (Array.isArray(parts) ? parts : [parts]).map((part) => textOf(part)).filter((text) => text !== '')
  const different = [...new Set(texts)].slice(0, most)
  return { parts: different.length > 0 ? different : [question] }
}

function textOf(part) {
  const text = typeof part === 'string' ? part : (part?.question ?? '')
  return String(text).trim().slice(0, 500)
}
