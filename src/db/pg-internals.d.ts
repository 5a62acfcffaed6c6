/** The part of pg that statement.ts needs and @types/pg does not describe. */
declare module 'pg/lib/utils.js' {
  const utils: { prepareValue(value: unknown): unknown }
  export default utils
}
