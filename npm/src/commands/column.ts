/** A column as users name it: a number from 0, or a name from the header. */
export function columnOf(text: string): string | number {
  return /^\d{1,6}$/.test(text) ? Number(text) : text
}
