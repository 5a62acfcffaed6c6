// Runs in the hidden frame of a silent authorization request and hands the answer to the page that asked.
parent.postMessage(location.href, location.origin)
