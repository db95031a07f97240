/** Parts of the catalogue of texts: see `messageParts` in vite.config.ts. */
declare module '$messages/web.json?start' {
  const texts: object
  export default texts
}
declare module '$messages/web.json?editor' {
  const texts: object
  export default texts
}
