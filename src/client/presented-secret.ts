/** A secret as it is presented: files that hold one end with a line end, which is none of it. */
export const presentedSecret = (text: string): string => text.replace(/\r?\n$/, "");
